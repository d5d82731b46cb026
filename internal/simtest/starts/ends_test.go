package starts_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// stopController refuses every write of the Job controller until undo is called.
func stopController(w *simtest.World) (undo func()) {
	var all []func()
	for _, verb := range []string{"create", "update", "patch", "delete"} {
		all = append(all, w.Cluster.APIServer().AddFault(apiserver.Fault{
			Match: apiserver.Match{User: fakecluster.ControllerUser, Verb: verb}, Before: simtest.ErrRefused,
		}))
	}
	return func() {
		for _, undo := range all {
			undo()
		}
	}
}

// TestCanceledAtTheLimit: a Job is canceled shortly before its limit is over, and the Job
// controller is slow.
func TestCanceledAtTheLimit(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
		p, other := w.Worker(), w.Worker()
		ktx := p.ExecutionContext()
		time.AfterFunc(5*time.Minute-10*time.Second, func() {
			time.AfterFunc(time.Minute, stopController(w))
			ctx, cancel := context.WithTimeout(w.Context(), 5*time.Minute)
			defer cancel()
			if err := other.Client.Cancel(ctx, ktx.Execution()); err != nil {
				t.Error(err)
			}
		})
		r, err := kontinue.RunPod(ktx, oneContainer(nil))
		require.NoError(w, err)
		require.ErrorIs(w, r.Err(), kontinue.ErrCanceled)
	})
}

// TestNoJobController: the Job controller is not running, so that nothing ends the Job that
// was given up. It starts no pod of it later, and the next run waits for its end.
func TestNoJobController(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		undo := stopController(w)
		p := w.Worker()
		time.AfterFunc(2*time.Hour, func() { p.Cancel(nil) })
		r, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
		require.NoError(w, err)
		requireGivenUp(w, r, "FailedCreate", "no pod")
		undo()
		w.Sleep(5 * time.Minute)
		require.Empty(w, w.Pods())
		r, err = kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(nil))
		require.NoError(w, err)
		requireGivenUp(w, r, "FailedCreate", "no pod")
		w.Execution.Attempts, w.Execution.ChildPolicy = 1, kontinue.ChildPolicyRetryFailed
		r, err = kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(nil))
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}
