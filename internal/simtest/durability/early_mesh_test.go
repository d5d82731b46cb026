package durability_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// mesh has the cluster inject a container before that of the step, which runs for an hour.
func mesh(w *simtest.World) {
	w.Cluster.On(containers.Match{Container: "mesh"}, containers.Script{Run: time.Hour})
	w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		if pod, ok := a.Object.(*corev1.Pod); ok && a.Verb == "create" {
			pod.Spec.Containers = append([]corev1.Container{{Name: "mesh", Image: "mesh:1"}}, pod.Spec.Containers...)
		}
		return nil
	})
}

// TestInjectedContainerDoesNotHoldAStep: a container that only the cluster knows of, first
// in the list, runs for an hour. The step's result does not wait for it, and its Job is
// stopped, also if no worker is running.
func TestInjectedContainerDoesNotHoldAStep(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{0, 3} {
		t.Run(fmt.Sprint("exit code ", code), func(t *testing.T) {
			t.Parallel()
			simtest.RunReal(t, func(w *simtest.World) {
				mesh(w)
				p := w.Worker()
				r, after := timed(w, p, code, 0)
				p.Kill()
				want := terminated
				if code != 0 {
					want += 30 * time.Second
				}
				require.InDelta(t, want.Seconds(), after.Seconds(), 0.1)
				require.Equal(t, code == 0, r.Succeeded(), r.Message)
				if exit := (*kontinue.ExitError)(nil); code != 0 && errors.As(r.Err(), &exit) {
					require.Equal(t, "script", exit.Container)
					require.Equal(t, code, exit.ExitCode)
					require.Equal(t, "Error", exit.Reason)
				} else {
					require.NoError(t, r.Err())
				}
				require.Equal(t, map[bool]corev1.PodPhase{true: "Succeeded", false: "Failed"}[code == 0], r.Phase)
				deadline := w.Jobs()["step"][0].Spec.ActiveDeadlineSeconds
				require.NotNil(t, deadline)
				require.InDelta(t, after.Seconds()+30, *deadline, 3)
				require.LessOrEqual(t, untilTerminal(w), 2*time.Minute)
				again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
				require.NoError(t, err)
				requireSameResult(t, r, again)
				require.Len(t, w.Jobs()["step"], 1)
			})
		})
	}
}

// TestInjectedContainerKeepsTheTimeout: the deadline of the record never prolongs one that
// the Job has.
func TestInjectedContainerKeepsTheTimeout(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		mesh(w)
		w.Cluster.On(containers.Match{Container: "script"}, containers.Script{Run: time.Minute})
		s := simtest.Script("step", "true")
		s.Timeout = 70 * time.Second
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), s)
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.Equal(t, int64(70), *w.Jobs()["step"][0].Spec.ActiveDeadlineSeconds)
	})
}

// TestNextStepUnderAQuota: a quota has room for one pod, which that of a step that has
// returned still takes. The next step starts when the pod is final, without an error.
func TestNextStepUnderAQuota(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		_, err := w.Admin().CoreV1().ResourceQuotas("ns").Create(w.Context(), &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "one"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		ktx := w.Worker().ExecutionContext()
		for i := range 5 {
			r, err := kontinue.RunScript(ktx, simtest.Script(fmt.Sprint("part-", i), "true"))
			require.NoError(t, err)
			require.True(t, r.Succeeded(), r.Message)
		}
		require.Len(t, w.Jobs(), 5)
	})
}
