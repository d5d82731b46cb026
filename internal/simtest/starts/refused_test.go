package starts_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestLastingConflict: while every attempt to stop a Job meets a conflict, as with a webhook
// that answers 409, the worker asks once a minute.
func TestLastingConflict(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
		p := w.Worker()
		undo := w.Cluster.APIServer().AddFault(apiserver.Fault{
			Match:  apiserver.Match{User: p.User, Verb: "patch", Resource: "jobs"},
			Before: apierrors.NewConflict(schema.GroupResource{Group: "batch", Resource: "jobs"}, "a", errors.New("the object has been modified")),
		})
		var requests int
		time.AfterFunc(65*time.Minute, func() {
			requests = p.Requests("")
			undo()
		})
		r, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
		require.NoError(w, err)
		requireGivenUp(w, r, "ImagePull", "image")
		require.Less(w, requests, 400)
	})
}

// TestPodsUnreadAtTheLimit: the pods of a Job that has not started cannot be read, or the
// context ends meanwhile. The error does not claim that the Job has ended.
func TestPodsUnreadAtTheLimit(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]apiserver.Fault{
		"no answer": {Match: apiserver.Match{Verb: "list", Resource: "pods"}, Delay: apiserver.Forever},
		"refused":   {Match: apiserver.Match{Verb: "list", Resource: "pods"}, Before: simtest.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
				p := w.Worker()
				fault.User = p.User
				w.Cluster.APIServer().AddFault(fault)
				if name == "no answer" {
					time.AfterFunc(5*time.Minute+5*time.Second, func() { p.Cancel(errors.New("maintenance")) })
				}
				_, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
				require.Error(w, err)
				require.NotContains(w, err.Error(), "ended")
			})
		})
	}
}

// TestRefusedUntilTheDeadline: a timeout that is shorter than the limit ends a step without a
// pod. The error also has what had refused the pod.
func TestRefusedUntilTheDeadline(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		options := oneContainer(func(s *corev1.PodSpec) { s.ServiceAccountName = "missing" })
		options.Timeout = time.Minute
		_, err := kontinue.RunPod(w.Worker().ExecutionContext(), options)
		for _, want := range []error{kontinue.ErrDeadlineExceeded, kontinue.ErrPodRejected, kontinue.ErrConfig} {
			require.ErrorIs(w, err, want)
		}
		var exit *kontinue.ExitError
		require.ErrorAs(w, err, &exit)
		require.Equal(w, kontinue.ClassTimeout, exit.Class)
		require.Equal(w, "DeadlineExceeded", exit.Reason)
		require.Contains(w, exit.Advice, "Create the ServiceAccount")
	})
}
