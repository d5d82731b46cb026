package pods_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

func TestUnstartedKeepsWhatAContainerWaitedFor(t *testing.T) {
	t.Parallel()
	waiting := pods.ContainerOutcome{Name: "main", Kind: pods.KindMain, State: "Waiting", Image: "nope:1", Reason: "ErrImagePull", Message: "not found"}
	unknown := pods.ContainerOutcome{Name: "main", Kind: pods.KindMain, State: "Terminated", ExitCode: 137, Reason: "ContainerStatusUnknown"}
	restarted := waiting
	restarted.Restarts = 1
	crashed := unknown
	crashed.Reason = "Error"
	for name, tc := range map[string]struct{ before, after, want pods.ContainerOutcome }{
		"never started":     {waiting, unknown, waiting},
		"was running":       {pods.ContainerOutcome{Name: "main", State: "Running"}, unknown, unknown},
		"had run before":    {restarted, unknown, unknown},
		"ran and failed":    {waiting, crashed, crashed},
		"another container": {pods.ContainerOutcome{Name: "other", State: "Waiting"}, unknown, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := pods.Outcome{Phase: corev1.PodFailed, Containers: []pods.ContainerOutcome{tc.after}}
			got := after.Unstarted(pods.Outcome{Phase: corev1.PodPending, Containers: []pods.ContainerOutcome{tc.before}})
			require.Equal(t, []pods.ContainerOutcome{tc.want}, got.Containers)
			require.Equal(t, []pods.ContainerOutcome{tc.after}, after.Containers, "the receiver was modified")
			require.False(t, got.Succeeded())
			_, failed := got.FirstFailure()
			require.Equal(t, tc.want.State == "Terminated", failed)
		})
	}
}
