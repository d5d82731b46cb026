package faults

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/cluster"
	"github.com/kontinue/kontinue/test/faults/proxy"
)

// seed is the run of one seed.
type seed struct {
	*runner
	number    uint64
	namespace string
	steps     []step
	plan      []gust
	proxy     *proxy.Proxy
	log       *buffer

	mu       sync.Mutex
	noticed  map[string]time.Time // by step: when its wait knew the end
	returned map[string]time.Time
	told     strings.Builder // every Progress and every error
}

// seed runs one seed from its client's start to its stop.
func (r *runner) seed(ctx context.Context, number uint64) (err error) {
	began := time.Now()
	rnd := rand.New(rand.NewPCG(number, 6))
	s := &seed{
		runner: r, number: number, namespace: fmt.Sprintf("seed-%d", number), log: &buffer{},
		noticed: map[string]time.Time{}, returned: map[string]time.Time{},
	}
	s.plan = drawStorm(rnd)
	for n := range r.Steps {
		s.steps = append(s.steps, drawStep(rnd, n))
	}
	beforeStart := rnd.IntN(4) == 0
	if err := r.cluster.CreateNamespace(ctx, s.namespace); err != nil {
		return err
	}
	owner, err := r.client.CoreV1().ConfigMaps(s.namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "execution"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	s.proxy, err = proxy.New(proxy.Config{Upstream: r.cluster.RESTConfig(cluster.Worker)})
	if err != nil {
		return err
	}
	defer s.proxy.Close()
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: s.proxy.RESTConfig(), Namespace: s.namespace, OnProgress: s.progress, StartTimeout: stepLimit,
		Logger: everything(s.log),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	storm := make(chan struct{})
	release := func() {
		go func() {
			defer close(storm)
			blow(ctx, s.proxy, s.plan)
			s.proxy.Clear()
		}()
	}
	if beforeStart {
		release()
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	if !beforeStart {
		release()
	}
	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{
		Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID},
	})
	if err != nil {
		return err
	}
	s.runSteps(ctx, ktx, rnd)
	<-storm
	if err := client.Healthy(); err != nil && !s.heals(ctx, client) {
		s.faultf(&s.report.Unhealthy, "not healthy after the storm: %v", client.Healthy())
		s.dump()
	}
	if err := client.Stop(context.WithoutCancel(ctx)); err != nil {
		s.faultf(&s.report.Unhealthy, "%v", err)
	}
	for !s.history.settled(s.namespace, s.steps) && pause(ctx, 50*time.Millisecond) {
	}
	s.check()
	s.sum(time.Since(began))
	return nil
}

// runSteps starts the steps within six seconds and waits for all.
func (s *seed) runSteps(ctx context.Context, ktx *kontinue.ExecutionContext, rnd *rand.Rand) {
	var wait sync.WaitGroup
	for _, st := range s.steps {
		after := time.Duration(rnd.IntN(6000)) * time.Millisecond
		wait.Go(func() {
			pause(ctx, after)
			wrong, err := st.run(ktx)
			s.mu.Lock()
			s.returned[st.name()] = time.Now()
			if err != nil {
				fmt.Fprintln(&s.told, err)
			}
			s.mu.Unlock()
			switch {
			case err != nil:
				s.faultf(&s.report.Lost, "step %s: %v", st.name(), err)
			case wrong != "":
				s.faultf(&s.report.Wrong, "step %s: %s", st.name(), wrong)
			}
		})
	}
	wait.Wait()
}

// healLimit is generous: a client must be back well before.
const healLimit = 90 * time.Second

// heals waits until the client is healthy again.
func (s *seed) heals(ctx context.Context, client *kontinue.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, healLimit)
	defer cancel()
	for pause(ctx, 100*time.Millisecond) {
		if client.Healthy() == nil {
			return true
		}
	}
	return false
}

// dump shows what a client that does not heal has logged last, and where it
// hangs.
func (s *seed) dump() {
	lines := strings.Split(s.log.String(), "\n")
	fmt.Fprintf(s.Progress, "seed %d does not heal:\n%s\n", s.number, strings.Join(lines[max(0, len(lines)-60):], "\n"))
	_ = pprof.Lookup("goroutine").WriteTo(s.Progress, 2)
}

func (s *seed) progress(p kontinue.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.told, "%+v\n", p)
	if p.State == kontinue.StepSucceeded || p.State == kontinue.StepFailed {
		s.noticed[p.Step] = time.Now()
	}
}

// check holds the history of the steps' Jobs against what it must be, and looks
// for the canary where it must not be.
func (s *seed) check() {
	found := s.history.of(s.namespace)
	for _, st := range s.steps {
		jobs := found[st.name()]
		delete(found, st.name())
		if len(jobs) == 0 {
			s.faultf(&s.report.Lost, "step %s has no job", st.name())
			continue
		}
		if len(jobs) > 1 {
			s.faultf(&s.report.Duplicates, "step %s had %d jobs", st.name(), len(jobs))
		}
		for _, j := range jobs {
			s.checkJob(st, j)
		}
	}
	for name, jobs := range found {
		s.faultf(&s.report.Duplicates, "%d jobs of an unknown step %q", len(jobs), name)
	}
	s.mu.Lock()
	told := s.told.String()
	s.mu.Unlock()
	for where, text := range map[string]string{"the log": s.log.String(), "an error or a progress": told} {
		if strings.Contains(text, Canary) {
			s.faultf(&s.report.Leaks, "the canary is in %s", where)
		}
	}
}

func (s *seed) checkJob(st step, j jobHistory) {
	if len(j.pods) != st.pods() {
		s.faultf(&s.report.Duplicates, "job %s had %d pods", j.name, len(j.pods))
	}
	if j.deleted {
		s.faultf(&s.report.Lost, "job %s was deleted", j.name)
	}
	if len(j.outcomes) != 1 {
		s.faultf(&s.report.Wrong, "job %s had %d outcomes", j.name, len(j.outcomes))
	}
	for text := range j.outcomes {
		if strings.Contains(text, Canary) {
			s.faultf(&s.report.Leaks, "the canary is in the outcome of job %s", j.name)
		}
	}
}

// sum adds the seed's figures to the report.
func (s *seed) sum(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runner.mu.Lock()
	defer s.runner.mu.Unlock()
	s.report.Seeds++
	s.report.Steps += len(s.steps)
	hits := 0
	for kind, n := range s.proxy.Injected() {
		s.report.Injected[kind] += n
		hits += n
	}
	for name, jobs := range s.history.of(s.namespace) {
		for _, j := range jobs {
			s.report.Jobs++
			s.report.Pods += len(j.pods)
			if at, ok := s.noticed[name]; ok && !j.ended.IsZero() {
				s.report.Noticed = append(s.report.Noticed, at.Sub(j.ended))
			}
			if at, ok := s.returned[name]; ok && !j.ended.IsZero() {
				s.report.Returned = append(s.report.Returned, at.Sub(j.ended))
			}
		}
	}
	fmt.Fprintf(s.Progress, "seed %d: %d steps, %d faults in %s\n", s.number, len(s.steps), hits, took.Round(100*time.Millisecond))
}

// faultf counts what must not be, and keeps the first cases.
func (s *seed) faultf(counter *int, format string, args ...any) {
	s.runner.mu.Lock()
	defer s.runner.mu.Unlock()
	*counter++
	if len(s.report.Faults) < 20 {
		s.report.Faults = append(s.report.Faults, fmt.Sprintf("seed %d: ", s.number)+fmt.Sprintf(format, args...))
	}
}

// everything is a logger that would also take the bodies of client-go's requests.
func everything(to *buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.Level(-10)}))
}

// buffer is a writer that may be read meanwhile.
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
