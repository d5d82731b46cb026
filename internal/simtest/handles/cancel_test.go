package handles_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

func canceling(name string) *kontinue.ScriptOptions {
	o := simtest.Script(name, "true")
	o.OnContextDone = kontinue.Cancel
	return o
}

var errShift = errors.New("the shift is over")

// requireStopped requires that the only Job of a step was stopped for good.
func requireStopped(w *simtest.World, name string) {
	w.Helper()
	w.Sleep(time.Minute)
	found := w.Jobs()[name]
	require.Len(w, found, 1)
	require.Zero(w, found[0].Status.Active)
	r, err := kontinue.RunScript(w.Worker().ExecutionContext(), canceling(name))
	if err == nil {
		err = r.Err()
	}
	require.ErrorIs(w, err, kontinue.ErrCanceled)
}

// TestCancelOnContextDone stops the Job, and no other one.
func TestCancelOnContextDone(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		ktx := p.ExecutionContext()
		s, err := kontinue.StartScript(ktx, canceling("a"))
		require.NoError(t, err)
		other := start(w, ktx, "b")
		w.Sleep(time.Minute)
		p.Cancel(errShift)
		synctest.Wait()
		require.True(t, ended(s))
		require.True(t, ended(other))
		_, err = s.Wait(w.Context())
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errShift)
		require.ErrorIs(t, err, kontinue.ErrCanceled)
		require.ErrorContains(t, err, "canceled with the step's context: stopped job ")
		require.NotContains(t, err.Error(), "still running")
		_, err = other.Wait(w.Context())
		require.NotErrorIs(t, err, kontinue.ErrCanceled)
		requireStopped(w, "a")
		require.Equal(t, int32(1), w.Jobs()["b"][0].Status.Active)
	})
}

// TestCancelAndStop: the request that stops the Job is under way when the client stops,
// which waits for it.
func TestCancelAndStop(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		s, err := kontinue.StartScript(p.ExecutionContext(), canceling("a"))
		require.NoError(t, err)
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: "patch"}, Delay: 3 * time.Second})
		w.Sleep(time.Minute)
		p.Cancel(errShift)
		synctest.Wait()
		require.Equal(t, 3*time.Second, w.StopClient(p.Client))
		_, err = s.Wait(w.Context())
		require.ErrorIs(t, err, kontinue.ErrCanceled)
		requireStopped(w, "a")
	})
}

// TestCancelIsRefused: the error says that the Job may still be running.
func TestCancelIsRefused(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		s, err := kontinue.StartScript(p.ExecutionContext(), canceling("a"))
		require.NoError(t, err)
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: "patch"}, Before: simtest.ErrRefused})
		w.Sleep(time.Minute)
		began := time.Now()
		p.Cancel(errShift)
		_, err = s.Wait(w.Context())
		require.ErrorIs(t, err, errShift)
		require.NotErrorIs(t, err, kontinue.ErrCanceled)
		require.ErrorContains(t, err, "may still be running")
		require.LessOrEqual(t, time.Since(began), 11*time.Second)
		require.Equal(t, int32(1), w.Jobs()["a"][0].Status.Active)
	})
}

// TestCancelOfACreate: the context ends while the create is under way, and the API server
// carries it out a little later.
func TestCancelOfACreate(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: "create"}, Times: 1, Delay: 5 * time.Second})
		time.AfterFunc(time.Second, func() { p.Cancel(errShift) })
		_, err := kontinue.StartScript(p.ExecutionContext(), canceling("a"))
		require.ErrorIs(t, err, errShift)
		w.Sleep(time.Minute)
		for _, job := range w.Jobs()["a"] {
			require.Zero(t, job.Status.Active)
		}
	})
}

// TestStopCancelsNothing, and neither does a worker that dies: the next one finds the Job.
func TestStopCancelsNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*simtest.Worker){
		"Stop": func(p *simtest.Worker) { p.StopClient(p.Client) },
		"Kill": func(p *simtest.Worker) { p.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
				p := w.Worker()
				s, err := kontinue.StartScript(p.ExecutionContext(), canceling("a"))
				require.NoError(t, err)
				w.Sleep(time.Minute)
				end(p)
				<-s.Done()
				p.Cancel(errShift) // too late
				_, err = s.Wait(w.Context())
				require.Error(t, err)
				require.NotErrorIs(t, err, kontinue.ErrCanceled)
				w.Sleep(time.Minute)
				require.Equal(t, int32(1), w.Jobs()["a"][0].Status.Active)
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), canceling("a"))
				require.NoError(t, err)
				require.True(t, r.Succeeded())
				w.RequireRanOnce(map[string]int{"a": 1})
			})
		})
	}
}
