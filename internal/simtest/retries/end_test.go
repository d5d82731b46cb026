package retries_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/simtest"
)

// inBackoff starts the step and returns when its first run has failed.
func inBackoff(w *simtest.World, worker *simtest.Worker, change func(*kontinue.ScriptOptions)) *kontinue.Step[*kontinue.PodResult] {
	w.Helper()
	o := options(kontinue.Retry{Limit: 5, Backoff: time.Minute})
	if change != nil {
		change(o)
	}
	s, err := kontinue.StartScript(worker.ExecutionContext(), o)
	require.NoError(w, err)
	w.Sleep(20 * time.Second)
	synctest.Wait()
	return s
}

// TestProgressInTheBackoff looks at a step that backs off.
func TestProgressInTheBackoff(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		play := newPlay(w, 3, 0)
		s := inBackoff(w, w.Worker(), nil)
		first := byNumber(w)[0].Name
		require.Equal(t, first, s.JobName())
		p := s.Progress()
		require.Equal(t, kontinue.StepPending, p.State)
		require.Equal(t, "BackOff", p.Reason)
		due := play.ended[0].Add(time.Minute).UTC().Format(time.RFC3339)
		require.Equal(t, "run 1 follows at "+due+": job "+first+" has failed", p.Message)
		require.Equal(t, first, p.Job)
		require.False(t, p.Resumed, "this call has created the Job")
		w.Sleep(45 * time.Second)
		synctest.Wait()
		require.Equal(t, byNumber(w)[1].Name, s.JobName())
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.Equal(t, kontinue.StepSucceeded, s.Progress().State)
	})
}

// TestReportsOfARetry requires that OnProgress reports a failure only when no other run
// follows.
func TestReportsOfARetry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		codes []int32
		want  []string
	}{
		"success": {[]int32{3, 0}, []string{"Pending", "Running", "Pending BackOff", "Pending", "Running", "Succeeded"}},
		"failure": {[]int32{3, 4}, []string{"Pending", "Running", "Pending BackOff", "Pending", "Running", "Failed BackoffLimitExceeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				newPlay(w, tc.codes...)
				var got []string
				client, _ := w.NewClient("worker", func(c *kontinue.Config) {
					c.OnProgress = func(p kontinue.Progress) {
						text := string(p.State)
						if p.Reason != "" && p.Reason != "ContainerCreating" {
							text += " " + p.Reason
						}
						if len(got) == 0 || got[len(got)-1] != text {
							got = append(got, text)
						}
					}
				})
				require.NoError(t, client.Start(w.Context()))
				ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
				require.NoError(t, err)
				_, err = kontinue.RunScript(ktx, options(kontinue.Retry{Limit: 1}))
				require.NoError(t, err)
				require.Equal(t, tc.want, got)
			})
		})
	}
}

// TestEndInTheBackoff ends the wait of a step that backs off. The next worker continues.
func TestEndInTheBackoff(t *testing.T) {
	t.Parallel()
	cause := errors.New("the queue is closed")
	for name, tc := range map[string]struct {
		end  func(w *simtest.World, worker *simtest.Worker)
		want error
	}{
		"context": {func(_ *simtest.World, worker *simtest.Worker) { worker.Cancel(cause) }, cause},
		"Stop":    {func(w *simtest.World, worker *simtest.Worker) { w.StopClient(worker.Client) }, kontinue.ErrNotRunning},
	} {
		for _, resumed := range []bool{false, true} { // the worker that ends found the step in its back-off
			t.Run(fmt.Sprintf("%s, resumed=%t", name, resumed), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					p := newPlay(w, 3, 0)
					worker := w.Worker()
					s := inBackoff(w, worker, nil)
					if resumed {
						worker.Kill()
						_, err := s.Wait(w.Context())
						require.ErrorIs(t, err, simtest.ErrKilled)
						worker = w.Worker()
						s, err = kontinue.StartScript(worker.ExecutionContext(), options(kontinue.Retry{Limit: 5, Backoff: time.Minute}))
						require.NoError(t, err)
						require.Equal(t, "BackOff", s.Progress().Reason)
					}
					began := time.Now()
					tc.end(w, worker)
					_, err := s.Wait(w.Context())
					require.ErrorIs(t, err, tc.want)
					require.ErrorContains(t, err, "has failed, at")
					require.Less(t, time.Since(began), time.Second)
					r, err := run(w.Worker(), kontinue.Retry{Limit: 5, Backoff: time.Minute})
					require.NoError(t, err)
					require.True(t, r.Succeeded())
					p.requireRuns(w, 2)
					require.Equal(t, time.Minute, created(w)[1].Sub(p.ended[0]))
				})
			})
		}
	}
}

// TestContextDoneInTheBackoff ends the context of a step that is to be canceled with it.
func TestContextDoneInTheBackoff(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		worker := w.Worker()
		s := inBackoff(w, worker, func(o *kontinue.ScriptOptions) { o.OnContextDone = kontinue.Cancel })
		worker.Cancel(context.Canceled)
		_, err := s.Wait(w.Context())
		require.ErrorIs(t, err, kontinue.ErrCanceled)
		require.ErrorContains(t, err, "canceled with the step's context: no run follows job ")
		require.NotContains(t, err.Error(), "a resume continues")
		w.Sleep(time.Hour)
		r, err := run(w.Worker(), kontinue.Retry{Limit: 5})
		require.NoError(t, err)
		require.Equal(t, int32(3), simtest.ExitCode(r))
		p.requireRuns(w, 1)
	})
}
