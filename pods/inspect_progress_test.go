package pods_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

// TestProgressIsOneLineOfPlainText: an API server or a scheduler plugin wrote it.
func TestProgressIsOneLineOfPlainText(t *testing.T) {
	t.Parallel()
	for _, p := range []*corev1.Pod{
		pod("Pending", mainC("main", waiting("ContainerCreating", "pulling\n\u202ethe image\x1b[2J"))),
		pod("Pending", mainC("main", waiting("ErrImagePull", "pulling\n\u202ethe image\x1b[2J"))),
		pod("Running", mainC("main", running()), reason("", "pulling\n\u202ethe image\x1b[2J")),
		pod("Running", mainC("main", running()), reason("", "pulling\n\u202ethe image\x1b[2J"), deleting),
	} {
		_, _, message := pods.Progress(p)
		require.Equal(t, "the image", message[max(0, len(message)-len("the image")):])
		require.NotContains(t, message, "pulling")
	}
}

func TestStoppedAt(t *testing.T) {
	t.Parallel()
	grace := func(seconds int64) option {
		return func(p *corev1.Pod) { p.DeletionGracePeriodSeconds = &seconds } // its deletion was asked for so long before 50
	}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want int // 0: never
	}{
		"not deleted":              {pod("Failed", mainC("main", exited(1, "Error", 20, ""))), 0},
		"stopped":                  {pod("Failed", mainC("main", exited(143, "Error", 21, "")), deleting, grace(30)), 20},
		"stopped in that second":   {pod("Failed", mainC("main", exited(143, "Error", 20, "")), deleting, grace(30)), 20},
		"still stopping":           {pod("Running", mainC("main", running()), deleting, grace(30)), 20},
		"failed before, then gone": {pod("Failed", mainC("main", exited(1, "Error", 49, "")), deleting, grace(0)), 0},
		"one container had failed": {pod("Failed", mainC("main", exited(1, "Error", 10, "")), mainC("b", exited(143, "Error", 21, "")), deleting, grace(30)), 20},
		"its end was not seen":     {pod("Failed", mainC("main", exited(137, "ContainerStatusUnknown", 0, "")), deleting), 50},
	} {
		o := pods.Inspect(tc.pod)
		require.Equal(t, tc.want == 0, o.StoppedAt.IsZero(), name)
		if tc.want > 0 {
			require.Equal(t, at(tc.want).Time, o.StoppedAt, name)
		}
	}
}
