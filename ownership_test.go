package kontinue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// copied makes by hand a Job from the step's, with its labels and annotations and
// under another name, as `kubectl get -o yaml | kubectl apply` would.
func (w *world) copied(step string, controller *metav1.OwnerReference) *batchv1.Job {
	w.Helper()
	of := w.jobs()[step][0]
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "copy-of-" + of.Name, Labels: of.Labels, Annotations: of.Annotations},
		Spec:       batchv1.JobSpec{Suspend: new(true), Template: of.Spec.Template},
	}
	if controller != nil {
		job.OwnerReferences = []metav1.OwnerReference{*controller}
	}
	for _, label := range []string{batchv1.ControllerUidLabel, batchv1.JobNameLabel, "controller-uid", "job-name"} {
		delete(job.Spec.Template.Labels, label)
	}
	job, err := w.admin().BatchV1().Jobs("ns").Create(w.Context(), job, metav1.CreateOptions{})
	require.NoError(w, err)
	return job
}

// TestCopyOfAJobIsNotTheSteps: whoever controls it, it is neither adopted nor
// deleted, stopped or given a TTL.
func TestCopyOfAJobIsNotTheSteps(t *testing.T) {
	t.Parallel()
	for name, controlled := range map[string]bool{"no controller": false, "the Execution's own": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.cluster.On(kubelet.Match{}, kubelet.Script{Exit: kubelet.Exit{Code: 3}})
				first, err := kontinue.RunScript(w.worker().context(), script("a", "false"))
				require.NoError(w, err)
				var controller *metav1.OwnerReference
				if controlled {
					controller = &w.jobs()["a"][0].OwnerReferences[0]
				}
				foreign := w.copied("a", controller)

				again, err := kontinue.RunScript(w.worker().context(), script("a", "false"))
				require.NoError(w, err)
				require.Equal(w, digest(first, nil), digest(again, nil))

				w.execution.Attempts, w.execution.ChildPolicy = 1, kontinue.ChildPolicyRetryAll
				retried, err := kontinue.RunScript(w.worker().context(), script("a", "false"))
				require.NoError(w, err)
				require.NotEqual(w, first.Pod.Name, retried.Pod.Name)

				live, err := w.admin().BatchV1().Jobs("ns").Get(w.Context(), foreign.Name, metav1.GetOptions{})
				require.NoError(w, err)
				require.Equal(w, foreign.UID, live.UID)
				require.Nil(w, live.DeletionTimestamp)
				require.True(w, *live.Spec.Suspend)
			})
		})
	}
}

func TestFinishAndCancelLeaveForeignJobsAlone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		p := w.worker()
		_, err := kontinue.RunScript(p.context(), script("a", "true"))
		require.NoError(w, err)
		foreign := w.copied("a", nil)
		w.execution.TTL = &metav1.Duration{Duration: time.Hour}
		require.NoError(w, p.client.Cancel(w.Context(), w.execution))
		require.NoError(w, p.client.Finish(w.Context(), w.execution))
		live, err := w.admin().BatchV1().Jobs("ns").Get(w.Context(), foreign.Name, metav1.GetOptions{})
		require.NoError(w, err)
		require.Equal(w, foreign.Spec, live.Spec)
		own := w.jobs()["a"]
		require.Len(w, own, 2)
		for _, job := range own {
			if job.UID != foreign.UID {
				require.Equal(w, int32(3600), *job.Spec.TTLSecondsAfterFinished)
			}
		}
	})
}
