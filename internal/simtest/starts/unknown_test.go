package starts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestRestartInBackOff: the pods of a Job were deleted, as by drains, and the Job controller
// is in its back-off when the worker is started again, hours after the Job.
func TestRestartInBackOff(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: 30 * time.Minute})
		o := &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: "a"}, Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(20)), Template: corev1.PodTemplateSpec{Spec: oneContainer(nil).Spec},
		}}
		p := w.Worker()
		go func() {
			for range 6 {
				for len(w.Pods()) == 0 {
					w.Sleep(time.Second)
				}
				w.Sleep(10 * time.Minute)
				for _, pod := range w.Pods() {
					if err := w.Cluster.DeletePod(w.Context(), "ns", pod.Name); err != nil {
						t.Error(err)
					}
				}
				for len(w.Pods()) > 0 {
					w.Sleep(time.Second)
				}
			}
			p.Kill()
		}()
		_, err := kontinue.RunJob(p.ExecutionContext(), o)
		require.ErrorIs(w, err, simtest.ErrKilled)
		r, err := kontinue.RunJob(w.Worker().ExecutionContext(), o)
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}

// TestGateIsRemoved: a pod is held by a scheduling gate for a day, and needs five minutes for
// a node then.
func TestGateIsRemoved(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Unschedulable: 5 * time.Minute})
		admin := w.Admin().CoreV1().Pods("ns")
		time.AfterFunc(2*time.Second, func() {
			pod := &w.Pods()[0]
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonSchedulingGated, Message: "gated"}}
			if _, err := admin.UpdateStatus(w.Context(), pod, metav1.UpdateOptions{}); err != nil {
				t.Error(err)
			}
			w.Sleep(24 * time.Hour)
			pod = &w.Pods()[0]
			pod.Spec.SchedulingGates = nil
			if _, err := admin.Update(w.Context(), pod, metav1.UpdateOptions{}); err != nil {
				t.Error(err)
			}
		})
		r, err := kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(func(s *corev1.PodSpec) {
			s.SchedulingGates = []corev1.PodSchedulingGate{{Name: "queue"}}
		}))
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}
