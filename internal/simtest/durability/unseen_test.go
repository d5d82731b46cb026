package durability_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestCompleteJobWhosePodNobodySaw: the worker stops while its step runs, the Job
// completes, and the pod is deleted with its node. The condition Complete proves that
// every container ended with 0: the step has succeeded, and no policy but RetryAll
// runs it again.
func TestCompleteJobWhosePodNobodySaw(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		attempts int
		policy   kontinue.ChildPolicy
	}{
		"resume":             {},
		"retry, None":        {1, kontinue.ChildPolicyNone},
		"retry, RetryFailed": {1, kontinue.ChildPolicyRetryFailed},
		"third attempt":      {2, kontinue.ChildPolicyRetryFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 30 * time.Second})
				options := func() *kontinue.PodOptions {
					return &kontinue.PodOptions{
						StepOptions: kontinue.StepOptions{Name: "a"},
						Spec:        corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}},
					}
				}
				p := w.Worker()
				time.AfterFunc(5*time.Second, p.Kill)
				_, err := kontinue.RunPod(p.ExecutionContext(), options())
				require.ErrorIs(t, err, simtest.ErrKilled)
				w.Sleep(time.Minute)
				deletePods(w)
				w.Execution.Attempts, w.Execution.ChildPolicy = tc.attempts, tc.policy
				for range 2 { // from the Job, and then from the record
					r, err := kontinue.RunPod(w.Worker().ExecutionContext(), options())
					require.NoError(t, err)
					require.NoError(t, r.Err())
					require.True(t, r.Succeeded())
					require.True(t, r.Resumed())
				}
				w.RequireRanOnce(map[string]int{"a": 0})
			})
		})
	}
}

// TestPodLosesItsLabelForAWhile: the pod leaves the watch, is back, and ends. It was
// never deleted.
func TestPodLosesItsLabelForAWhile(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 7}})
		const label = "kontinue.cloud/worker-group"
		edit := func(change func(labels map[string]string)) func() {
			return func() {
				pod := w.Pods()[0]
				change(pod.Labels)
				_, err := w.Admin().CoreV1().Pods("ns").Update(w.Context(), &pod, metav1.UpdateOptions{})
				require.NoError(w, err)
			}
		}
		time.AfterFunc(10*time.Second, edit(func(labels map[string]string) { delete(labels, label) }))
		time.AfterFunc(20*time.Second, edit(func(labels map[string]string) { labels[label] = "default" }))
		p := w.Worker()
		r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "exit 7"))
		require.NoError(t, err)
		require.Equal(t, int32(7), simtest.ExitCode(r))
		require.Equal(t, p.Lists, p.Requests("list"), "the watch shows the pod again")
		text, err := r.Logs(p.ExecutionContext(), nil)
		require.NoError(t, err, "a pod that was deleted has no log")
		require.Empty(t, text)
		require.NotContains(t, w.Jobs()["a"][0].Annotations[outcomeAnnotation], `"x":true`, "deleted")
	})
}

// TestPodWithoutItsLabels: others remove the labels of a pod for good, and the worker that
// knew it dies. The watch of the next one does not show the pod, which is still its Job's.
func TestPodWithoutItsLabels(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 7}})
		time.AfterFunc(10*time.Second, func() {
			pod := w.Pods()[0]
			for _, label := range []string{"kontinue.cloud/worker-group", "kontinue.cloud/step", "app.kubernetes.io/managed-by"} {
				delete(pod.Labels, label)
			}
			_, err := w.Admin().CoreV1().Pods("ns").Update(w.Context(), &pod, metav1.UpdateOptions{})
			require.NoError(w, err)
		})
		first := w.Worker()
		time.AfterFunc(20*time.Second, first.Kill)
		_, err := kontinue.RunScript(first.ExecutionContext(), simtest.Script("a", "exit 7"))
		require.ErrorIs(t, err, simtest.ErrKilled)
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "exit 7"))
		require.NoError(t, err)
		require.Equal(t, int32(7), simtest.ExitCode(r))
	})
}
