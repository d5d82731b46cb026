package handles_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// start starts a script that must be created.
func start(w *simtest.World, ktx *kontinue.ExecutionContext, name string) *kontinue.Step[*kontinue.PodResult] {
	w.Helper()
	s, err := kontinue.StartScript(ktx, simtest.Script(name, "true"))
	require.NoError(w, err)
	return s
}

func ended[R any](s *kontinue.Step[R]) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// TestStep: a step exists when Start has returned, says how it is, and ends by itself.
func TestStep(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullTime: 10 * time.Second, Run: time.Minute, Exit: containers.Exit{Code: 3}})
		s := start(w, w.Worker().ExecutionContext(), "a")
		require.Equal(t, "a", s.Name())
		require.Equal(t, w.Jobs()["a"][0].Name, s.JobName())
		require.False(t, ended(s))
		p := s.Progress()
		require.Equal(t, kontinue.StepPending, p.State)
		require.Equal(t, []string{"ns", "release", "a", s.JobName()}, []string{p.Namespace, p.Execution, p.Step, p.Job})
		w.Sleep(30 * time.Second)
		require.Equal(t, kontinue.StepRunning, s.Progress().State)
		require.False(t, ended(s))

		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		defer cancel()
		_, err := s.Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "still running")
		require.ErrorContains(t, err, s.JobName())

		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		var failure *kontinue.ExitError
		require.ErrorAs(t, r.Err(), &failure)
		require.Equal(t, int32(3), failure.ExitCode)
		require.True(t, ended(s))
		again, err := s.Wait(ctx) // whose context has ended
		require.NoError(t, err)
		require.Same(t, r, again)
		require.Equal(t, kontinue.StepFailed, s.Progress().State)
		require.NoError(t, s.Cancel(w.Context()))
		w.RequireRanOnce(map[string]int{"a": 1})
	})
}

// TestNotWaitedFor: a step that is not waited for is recorded, and has no goroutine.
//
//nolint:paralleltest // it looks at all goroutines
func TestNotWaitedFor(t *testing.T) {
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		ktx := p.ExecutionContext()
		const steps = 100
		var all []*kontinue.Step[*kontinue.PodResult]
		for i := range steps {
			all = append(all, start(w, ktx, fmt.Sprintf("s%d", i)))
		}
		w.Sleep(time.Minute)
		stacks := make([]byte, 8<<20)
		text := string(stacks[:runtime.Stack(stacks, true)])
		require.False(t, strings.Contains(text, "internal/step.(*Step)") || strings.Contains(text, "internal/step.(*pool)"))
		w.Sleep(2 * time.Hour)
		for _, s := range all {
			require.True(t, ended(s))
			require.Equal(t, kontinue.StepSucceeded, s.Progress().State)
		}
		require.Equal(t, steps, p.Requests("patch"))
		require.Zero(t, p.StopClient(p.Client))
	})
}

// TestRunsThatAreThere: a step whose result is recorded, and one whose Job is running, are
// handles as well.
func TestRunsThatAreThere(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "b"}, containers.Script{Run: time.Hour})
		first := w.Worker()
		_, err := kontinue.RunScript(first.ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(t, err)
		start(w, first.ExecutionContext(), "b")
		first.Kill()

		ktx := w.Worker().ExecutionContext()
		a, b := start(w, ktx, "a"), start(w, ktx, "b")
		require.True(t, ended(a))
		require.False(t, ended(b))
		require.True(t, b.Progress().Resumed)
		for _, s := range []*kontinue.Step[*kontinue.PodResult]{a, b} {
			r, err := s.Wait(w.Context())
			require.NoError(t, err)
			require.True(t, r.Succeeded())
			require.True(t, r.Resumed())
		}
		w.RequireRanOnce(map[string]int{"a": 1, "b": 1})
	})
}

// TestBadInput sends no request.
func TestBadInput(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := w.Worker()
		ktx := p.ExecutionContext()
		before := p.Requests("")
		_, err := kontinue.StartJob(ktx, nil)
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		_, err = kontinue.StartPod(nil, &kontinue.PodOptions{})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		_, err = kontinue.StartScript(ktx, &kontinue.ScriptOptions{Image: "alpine"})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		o := simtest.Script("a", "true")
		o.OnContextDone = 7
		_, err = kontinue.StartScript(ktx, o)
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		require.ErrorContains(t, err, "OnContextDone 7")
		require.Equal(t, before, p.Requests(""))

		s := start(w, ktx, "a")
		require.ErrorIs(t, s.Logs(w.Context(), nil, nil), kontinue.ErrInvalid)
		require.ErrorIs(t, s.Logs(w.Context(), &strings.Builder{}, &kontinue.LogOptions{TailLines: 3}), kontinue.ErrInvalid)
		_, err = kontinue.StartScript(ktx, simtest.Script("a", "true"))
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		require.ErrorContains(t, err, "was used already")
	})
}

// TestUnnamed: an unnamed step holds its ordinal until it ends.
func TestUnnamed(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		ktx := w.Worker().ExecutionContext()
		s := start(w, ktx, "")
		require.Equal(t, "step-1", s.Name())
		_, err := kontinue.StartScript(ktx, simtest.Script("", "true"))
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		_, err = s.Wait(w.Context())
		require.NoError(t, err)
		require.Equal(t, "step-2", start(w, ktx, "").Name())
	})
}

// TestCancel stops the Job of one step alone.
func TestCancel(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		ktx := w.Worker().ExecutionContext()
		a, b := start(w, ktx, "a"), start(w, ktx, "b")
		w.Sleep(time.Minute)
		require.NoError(t, a.Cancel(w.Context()))
		began := time.Now()
		r, err := a.Wait(w.Context())
		require.NoError(t, err)
		require.ErrorIs(t, r.Err(), kontinue.ErrCanceled)
		require.Less(t, time.Since(began), time.Minute)
		require.False(t, ended(b))
		r, err = b.Wait(w.Context())
		require.NoError(t, err)
		require.True(t, r.Succeeded())
	})
}

// TestStop ends the steps that are open.
func TestStop(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		ktx := p.ExecutionContext()
		var all []*kontinue.Step[*kontinue.PodResult]
		for i := range 100 {
			all = append(all, start(w, ktx, fmt.Sprintf("s%d", i)))
		}
		w.Sleep(time.Minute)
		require.Zero(t, w.StopClient(p.Client))
		for _, s := range all {
			require.True(t, ended(s))
			_, err := s.Wait(w.Context())
			require.ErrorIs(t, err, kontinue.ErrNotRunning)
			require.ErrorContains(t, err, "still running")
			require.ErrorIs(t, s.Cancel(w.Context()), kontinue.ErrNotRunning)
			require.Equal(t, kontinue.StepRunning, s.Progress().State)
		}
		_, err := kontinue.StartScript(ktx, simtest.Script("new", "true"))
		require.ErrorIs(t, err, kontinue.ErrNotRunning)
	})
}

// TestEndOfTheContext ends the step, and leaves its Job alone by default.
func TestEndOfTheContext(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		s := start(w, p.ExecutionContext(), "a")
		w.Sleep(time.Minute)
		cause := errors.New("the shift is over")
		p.Cancel(cause)
		synctest.Wait()
		require.True(t, ended(s))
		_, err := s.Wait(w.Context())
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, kontinue.ErrCanceled)
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		w.RequireRanOnce(map[string]int{"a": 1})
	})
}

// TestWithContext: the steps of an errgroup fail fast, and share the names of the run.
func TestWithContext(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		w.Cluster.On(containers.Match{Step: "bad"}, containers.Script{Run: time.Second, Exit: containers.Exit{Code: 1}})
		ktx := w.Worker().ExecutionContext()
		ctx, cancel := context.WithCancelCause(ktx.Context())
		defer cancel(nil)
		group := ktx.WithContext(ctx)
		require.Equal(t, ctx, group.Context())
		require.Equal(t, ktx.Execution(), group.Execution())
		require.Same(t, ktx, ktx.WithContext(nil)) //nolint:staticcheck // a nil context is allowed here

		errs := make(chan error, 3)
		for _, name := range []string{"a", "bad", "c"} {
			go func() {
				r, err := kontinue.RunScript(group, simtest.Script(name, "true"))
				if err == nil {
					if err = r.Err(); err != nil {
						cancel(err)
					}
				}
				errs <- err
			}()
		}
		began := time.Now()
		for range 3 {
			var failure *kontinue.ExitError
			require.ErrorAs(t, <-errs, &failure, "of the step that failed, or the cause of the context")
		}
		require.Less(t, time.Since(began), time.Minute)

		// The names are those of the run: the one with a result is taken, and the others
		// are free to be called again.
		_, err := kontinue.StartScript(ktx, simtest.Script("bad", "true"))
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		start(w, ktx, "a")
		require.Len(t, w.Jobs(), 3)
	})
}
