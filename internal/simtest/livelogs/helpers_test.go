package livelogs_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// output is a writer that remembers when it got each line. It fails the test if two Writes
// overlap or one has a part of a line.
type output struct {
	t     testing.TB
	began time.Time

	mu    sync.Mutex
	lines []string
	at    []time.Duration
}

func newOutput(t testing.TB) *output { return &output{t: t, began: time.Now()} }

func (o *output) Write(p []byte) (int, error) {
	if !o.mu.TryLock() {
		o.t.Error("two Writes of a step overlap")
		o.mu.Lock()
	}
	defer o.mu.Unlock()
	if !strings.HasSuffix(string(p), "\n") {
		o.t.Errorf("%q is no whole line", p)
	}
	for line := range strings.Lines(string(p)) {
		o.lines = append(o.lines, strings.TrimSuffix(line, "\n"))
		o.at = append(o.at, time.Since(o.began))
	}
	return len(p), nil
}

// numbered are the lines "line 0", "line 1" and so on.
func numbered(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("line %d", i))
	}
	return lines
}

// prints is a container that writes n numbered lines, one after each interval.
func prints(n int, interval time.Duration) containers.Script {
	script := containers.Script{Run: time.Duration(n) * interval}
	for i, line := range numbered(n) {
		script.Log = append(script.Log, containers.LogLine{After: time.Duration(i) * interval, Text: line})
	}
	return script
}

// script returns the options of a step that writes its log to out.
func script(name string, out io.Writer) *kontinue.ScriptOptions {
	o := simtest.Script(name, "true")
	o.Logs = out
	return o
}

// run runs a step that must succeed, and returns its report.
func run(ktx *kontinue.ExecutionContext, t require.TestingT, o *kontinue.ScriptOptions) *kontinue.LogReport {
	report, err := tryRun(ktx, o)
	require.NoError(t, err)
	return report
}

// tryRun is run for a goroutine of its own.
func tryRun(ktx *kontinue.ExecutionContext, o *kontinue.ScriptOptions) (*kontinue.LogReport, error) {
	r, err := kontinue.RunScript(ktx, o)
	switch {
	case err != nil:
		return nil, err
	case !r.Succeeded():
		return nil, errors.New(r.Message)
	case r.LogReport == nil:
		return nil, errors.New("the result has no LogReport")
	}
	return r.LogReport, nil
}

// requireComplete requires a report on n lines without a gap.
func requireComplete(t require.TestingT, n int, r *kontinue.LogReport) {
	require.NoError(t, r.Err)
	require.Empty(t, r.Gaps)
	require.True(t, r.Complete)
	require.EqualValues(t, n, r.Lines)
}

// logOf matches the worker's requests for logs.
func logOf(p *simtest.Worker) apiserver.Match {
	return apiserver.Match{User: p.User, Verb: "get", Resource: "pods/log"}
}

// logRequests is how often the worker has opened a log.
func logRequests(p *simtest.Worker) int {
	return p.Cluster.APIServer().Stats().Count(p.User, "get", "pods/log")
}

// opened counts the logs that a client has open.
type opened struct {
	mu        sync.Mutex
	now, most int
}

func (o *opened) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/log") {
			return next.RoundTrip(r)
		}
		o.add(1)
		resp, err := next.RoundTrip(r)
		if err != nil {
			o.add(-1)
			return nil, err
		}
		resp.Body = &countedBody{ReadCloser: resp.Body, closed: sync.OnceFunc(func() { o.add(-1) })}
		return resp, nil
	})
}

func (o *opened) add(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now += n
	o.most = max(o.most, o.now)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type countedBody struct {
	io.ReadCloser
	closed func()
}

func (b *countedBody) Close() error {
	b.closed()
	return b.ReadCloser.Close()
}

// joined is a log of these lines.
func joined(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// cutOften cuts the worker's next n streams, each after a few lines more.
func cutOften(p *simtest.Worker, n int) {
	for i := range n {
		p.Cluster.APIServer().AddFault(apiserver.Fault{Match: logOf(p), Times: 1, Body: &apiserver.BodyFault{Bytes: 12_000 + 137*i, Break: simtest.ErrRefused}})
	}
}
