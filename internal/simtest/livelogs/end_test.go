package livelogs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestEndOfTheWait: the end of the context and Stop end the logs at once.
func TestEndOfTheWait(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*simtest.Worker){
		"context": func(p *simtest.Worker) { p.Cancel(errors.New("no more")) },
		"stop":    func(p *simtest.Worker) { p.StopClient(p.Client) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, prints(100, time.Second))
				p, out := w.Worker(), newOutput(w)
				time.AfterFunc(10500*time.Millisecond, func() { end(p) })
				began := time.Now()
				_, err := kontinue.RunScript(p.ExecutionContext(), script("a", out))
				require.Error(t, err)
				require.InDelta(t, 10500*time.Millisecond, time.Since(began), float64(time.Second))
				written := len(out.lines)
				require.InDelta(t, 11, written, 1)
				w.Sleep(time.Minute)
				require.Len(t, out.lines, written)

				// Another process has another writer, which gets all of it.
				second := newOutput(w)
				requireComplete(t, 100, run(w.Worker().ExecutionContext(), w, script("a", second)))
				require.Equal(t, numbered(100), second.lines)

				// The result is recorded: a further call writes nothing.
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), script("a", newOutput(w)))
				require.NoError(t, err)
				require.Nil(t, r.LogReport)
			})
		})
	}
}

// TestKilledWorkers: three workers die while the log is cut again and again. Each writes
// the log once from its first line, and the last one all of it.
func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		const n = 10_000
		w.Cluster.On(containers.Match{}, prints(n, 10*time.Millisecond))
		for i := range 4 {
			p, out := w.Worker(), newOutput(w)
			cutOften(p, 50)
			ktx := p.ExecutionContext()
			if i == 3 {
				requireComplete(t, n, run(ktx, w, script("a", out)))
				require.Equal(t, numbered(n), out.lines)
				break
			}
			time.AfterFunc(25*time.Second, p.Kill)
			_, err := kontinue.RunScript(ktx, script("a", out))
			require.ErrorIs(t, err, simtest.ErrKilled)
			require.NotEmpty(t, out.lines)
			require.Equal(t, numbered(len(out.lines)), out.lines)
		}
	})
}

// TestDeletedPod: the log ends with the pod, and the report says so.
func TestDeletedPod(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(w *simtest.World, pod string) error{
		"deleted": func(w *simtest.World, pod string) error { return w.Cluster.DeletePod(w.Context(), "ns", pod) },
		"forced":  func(w *simtest.World, pod string) error { return w.Cluster.ForceDeletePod(w.Context(), "ns", pod) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, prints(100, time.Second))
				out := newOutput(w)
				time.AfterFunc(10500*time.Millisecond, func() { require.NoError(t, remove(w, w.Pods()[0].Name)) })
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), script("a", out))
				require.NoError(t, err)
				require.False(t, r.Succeeded())
				require.GreaterOrEqual(t, len(out.lines), 11)
				require.Equal(t, numbered(len(out.lines)), out.lines)
				require.EqualValues(t, len(out.lines), r.LogReport.Lines)
				if !r.LogReport.Complete {
					require.ErrorIs(t, r.LogReport.Err, kontinue.ErrLogsGone)
				}
			})
		})
	}
}

// TestNeverStarted: a container that never started has no log of which a line could be
// missing.
func TestNeverStarted(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull", PullErrorFor: containers.Forever})
		p := w.Worker()
		o := script("a", newOutput(w))
		o.Timeout = time.Minute
		r, err := kontinue.RunScript(p.ExecutionContext(), o)
		require.NoError(t, err)
		require.ErrorIs(t, r.Err(), kontinue.ErrDeadlineExceeded)
		requireComplete(t, 0, r.LogReport)
		require.Zero(t, logRequests(p))
	})
}

// TestForbidden: without the right to read logs the step has its result, and its report
// names the right.
func TestForbidden(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, prints(10, time.Second))
		p := w.Worker()
		w.Cluster.APIServer().Deny(logOf(p))
		report := run(p.ExecutionContext(), w, script("a", newOutput(w)))
		require.False(t, report.Complete)
		require.True(t, apierrors.IsForbidden(report.Err), report.Err)
		require.ErrorContains(t, report.Err, `grant the verb "get" on pods/log`)
		require.Equal(t, 1, logRequests(p))

		text, err := json.Marshal(report)
		require.NoError(t, err)
		again := new(kontinue.LogReport)
		require.NoError(t, json.Unmarshal(text, again))
		require.EqualError(t, again.Err, report.Err.Error())
		again.Err = report.Err
		require.Equal(t, report, again)
	})
}

// TestLimitOfStreams: of ten containers at most two are followed, and the logs of the
// others are read from their first line when their containers have ended.
func TestLimitOfStreams(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, prints(30, time.Second))
		var open opened
		client, _ := w.NewClient("worker", func(c *kontinue.Config) {
			c.MaxLogStreams = 3
			c.RESTConfig.Wrap(open.wrap)
		})
		require.NoError(t, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(t, err)
		began := time.Now()
		var wg sync.WaitGroup
		live := make(chan bool, 10)
		for i := range 10 {
			wg.Go(func() {
				out := newOutput(w)
				requireComplete(t, 30, run(ktx, t, script(fmt.Sprintf("part-%d", i), out)))
				live <- out.at[0] < 10*time.Second
			})
		}
		wg.Wait()
		close(live)
		followed := 0
		for is := range live {
			if is {
				followed++
			}
		}
		require.Equal(t, []int{2, 0}, []int{followed, open.now})
		require.LessOrEqual(t, open.most, 3)
		require.Less(t, time.Since(began), 40*time.Second, "a step whose container has ended does not wait for others")
	})
}

// TestLogOptions: the whole log, that since a time, and that of the run before.
func TestLogOptions(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, prints(150, time.Second))
		p := w.Worker()
		ktx := p.ExecutionContext()
		r, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
		require.NoError(t, err)
		requests := p.Requests("")
		for want, o := range map[string]*kontinue.LogOptions{
			"negative":                             {TailLines: -1},
			"All and TailLines exclude each other": {TailLines: 1, All: true},
		} {
			_, err := r.Logs(ktx, o)
			require.ErrorIs(t, err, kontinue.ErrInvalid)
			require.ErrorContains(t, err, want)
		}
		require.Equal(t, requests, p.Requests(""), "no request is sent")
		at := r.Pod.Status.ContainerStatuses[0].State.Terminated.StartedAt.Time
		for lines, o := range map[int]*kontinue.LogOptions{
			100: nil,
			150: {All: true},
			140: {Since: at.Add(10*time.Second + 300*time.Millisecond)},
			5:   {Since: at.Add(10 * time.Second), TailLines: 5},
		} {
			text, err := r.Logs(ktx, o)
			require.NoError(t, err)
			require.Equal(t, joined(numbered(150)[150-lines:]), text)
		}
		_, err = r.Logs(ktx, &kontinue.LogOptions{Previous: true})
		require.ErrorIs(t, err, kontinue.ErrLogsGone)
	})
}
