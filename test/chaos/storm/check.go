package storm

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// own reports whether a Job belongs to this seed.
func (s *seed) own(j *history.Job) bool { return j.Namespace == s.namespace }

// check compares the Jobs of the steps with the expected ones, and looks for the
// canary where it must not appear.
func (s *seed) check(ctx context.Context) {
	expected := history.Expected{}
	for _, st := range s.steps {
		expected[history.Run{Step: st.name()}] = st.pods()
	}
	s.bed.History.Settle(ctx, s.own, expected)
	jobs := s.bed.History.Jobs(s.own)
	expected.Check(jobs, s.addf)
	s.mu.Lock()
	texts := map[string]string{"the log": s.log.String(), "an error or a Progress": s.output.String()}
	s.mu.Unlock()
	for _, j := range jobs {
		texts["the record of job "+j.Name] = strings.Join(j.Records, "\n")
	}
	for where, text := range texts {
		if strings.Contains(text, canary) {
			s.addf(report.Leak, "the canary is in %s", where)
		}
	}
}

// sum adds the figures of the seed to the report.
func (s *seed) sum(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runner.mu.Lock()
	defer s.runner.mu.Unlock()
	r := s.report
	r.Seeds++
	r.Steps += len(s.steps)
	hits := 0
	for kind, n := range s.proxy.Injected() {
		r.Injected[kind] += n
		hits += n
	}
	for _, j := range s.bed.History.Jobs(s.own) {
		r.Jobs++
		r.Pods += len(j.Pods)
		if j.Ended.IsZero() {
			continue
		}
		if at, ok := s.noticed[j.Step]; ok {
			r.Noticed = append(r.Noticed, at.Sub(j.Ended))
		}
		if at, ok := s.returned[j.Step]; ok {
			r.Returned = append(r.Returned, at.Sub(j.Ended))
		}
	}
	fmt.Fprintf(s.Progress, "seed %d: %d steps, %d faults in %s\n", s.number, len(s.steps), hits, took.Round(100*time.Millisecond))
}

// addf adds a finding of this seed.
func (s *seed) addf(kind report.Kind, format string, args ...any) {
	s.report.Findings.Addf(kind, "seed %d: %s", s.number, fmt.Sprintf(format, args...))
}

// logger returns a logger for all levels, including client-go's request bodies.
func logger(to *buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.Level(-10)}))
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
