package durability_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestStepIsCalledAgainAfterAnError: the second call is the same step and adopts
// its Job, so that the work runs once.
func TestStepIsCalledAgainAfterAnError(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]string{"named": "a", "unnamed": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				p := w.Worker()
				ktx := p.ExecutionContext()
				// The outcome cannot be recorded, so the call fails although the Job has run.
				w.Cluster.APIServer().AddFault(apiserver.Fault{
					Match: apiserver.Match{User: p.User, Verb: "patch"}, Times: 1, Before: apierrors.NewForbidden(batchv1.Resource("jobs"), "", errors.New("denied by test")),
				})
				_, err := kontinue.RunScript(ktx, simtest.Script(step, "true"))
				require.ErrorContains(w, err, "correct what is named below and resume")
				r, err := kontinue.RunScript(ktx, simtest.Script(step, "true"))
				require.NoError(w, err)
				require.NoError(w, r.Err())
				require.True(w, r.Resumed())
				next, err := kontinue.RunScript(ktx, simtest.Script("", "true"))
				require.NoError(w, err)
				require.False(w, next.Resumed())
				own := map[string]string{"a": "step-1", "": "step-2"}[step]
				first := map[string]string{"a": "a", "": "step-1"}[step]
				w.RequireRanOnce(map[string]int{first: 1, own: 1})
			})
		})
	}
}

// TestNameOfARefusedStepIsFree: a call that was rejected before any request releases its
// step's name.
func TestNameOfARefusedStepIsFree(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		ktx := w.Worker().ExecutionContext()
		for _, step := range []string{"a", ""} {
			opts := simtest.Script(step, "true")
			opts.Image = ""
			_, err := kontinue.RunScript(ktx, opts)
			require.ErrorIs(w, err, kontinue.ErrInvalid)
			_, err = kontinue.RunScript(ktx, simtest.Script(step, "true"))
			require.NoError(w, err)
		}
		_, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
		require.ErrorIs(w, err, kontinue.ErrInvalid, "a step that has a result keeps its name")
		w.RequireRanOnce(map[string]int{"a": 1, "step-1": 1})
	})
}

// TestErrorSaysWhyTheContextEnded: the error wraps the context's error and its
// cause.
func TestErrorSaysWhyTheContextEnded(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		lost := errors.New("the lease was lost")
		ctx, cancel := context.WithCancelCause(w.Context())
		ktx, err := p.Client.NewExecutionContext(ctx, w.Execution)
		require.NoError(w, err)
		time.AfterFunc(time.Minute, func() { cancel(lost) })
		_, err = kontinue.RunScript(ktx, simtest.Script("a", "true"))
		require.ErrorIs(w, err, lost)
		require.ErrorIs(w, err, context.Canceled)
		_, err = kontinue.RunScript(ktx, simtest.Script("b", "true"))
		require.ErrorIs(w, err, lost)
		require.ErrorIs(w, err, context.Canceled)
		require.NotContains(w, w.Jobs(), "b")
	})
}

// TestEndWithinAListOfPods: the Job has ended and the watch of its pods lags, so a LIST
// of the pods is in progress when the wait ends. The error must say why the wait ended,
// although that of the interrupted request does not.
func TestEndWithinAListOfPods(t *testing.T) {
	t.Parallel()
	lost := errors.New("the lease was lost")
	for name, tc := range map[string]struct {
		end  func(*kontinue.Client, context.CancelCauseFunc)
		want []error
	}{
		"the client stops": {
			func(c *kontinue.Client, _ context.CancelCauseFunc) { _ = c.Stop(context.Background()) },
			[]error{kontinue.ErrNotRunning},
		},
		"the context ends": {
			func(_ *kontinue.Client, cancel context.CancelCauseFunc) { cancel(lost) },
			[]error{lost, context.Canceled},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 20 * time.Second})
				p := w.Worker()
				server := w.Cluster.APIServer()
				ctx, cancel := context.WithCancelCause(w.Context())
				defer cancel(nil)
				ktx, err := p.Client.NewExecutionContext(ctx, w.Execution)
				require.NoError(w, err)
				listing := false
				time.AfterFunc(10*time.Second, func() {
					server.StallWatches(apiserver.WatchMatch{User: p.User, Resource: "pods"})
					server.AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: "list"}, Delay: time.Hour})
				})
				time.AfterFunc(time.Minute, func() {
					listing = p.Requests("list") == p.Lists+1
					tc.end(p.Client, cancel)
				})
				_, err = kontinue.RunScript(ktx, simtest.Script("a", "true"))
				require.True(w, listing, "its pods are not being read")
				for _, want := range tc.want {
					require.ErrorIs(w, err, want)
				}
			})
		})
	}
}
