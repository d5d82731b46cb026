package durability_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// copyJob creates a copy of the step's Job under another name, with the same
// labels and annotations, as a user does with kubectl get -o yaml and kubectl
// create.
func copyJob(w *simtest.World, step string, controller *metav1.OwnerReference) *batchv1.Job {
	w.Helper()
	of := w.Jobs()[step][0]
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
	job, err := w.Admin().BatchV1().Jobs("ns").Create(w.Context(), job, metav1.CreateOptions{})
	require.NoError(w, err)
	return job
}

// TestCopyOfAJobIsNotTheSteps: a copy is neither adopted nor deleted nor stopped,
// even if it has the Execution as its controller.
func TestCopyOfAJobIsNotTheSteps(t *testing.T) {
	t.Parallel()
	for name, controlled := range map[string]bool{"no controller": false, "the Execution's own": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 3}})
				first, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "false"))
				require.NoError(w, err)
				var controller *metav1.OwnerReference
				if controlled {
					controller = &w.Jobs()["a"][0].OwnerReferences[0]
				}
				foreign := copyJob(w, "a", controller)

				again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "false"))
				require.NoError(w, err)
				require.Equal(w, digest(first, nil), digest(again, nil))

				w.Execution.Attempts, w.Execution.ChildPolicy = 1, kontinue.ChildPolicyRetryAll
				retried, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "false"))
				require.NoError(w, err)
				require.NotEqual(w, first.Pod.Name, retried.Pod.Name)

				live, err := w.Admin().BatchV1().Jobs("ns").Get(w.Context(), foreign.Name, metav1.GetOptions{})
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
	simtest.Run(t, func(w *simtest.World) {
		p := w.Worker()
		_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		foreign := copyJob(w, "a", nil)
		w.Execution.TTL = &metav1.Duration{Duration: time.Hour}
		require.NoError(w, p.Client.Cancel(w.Context(), w.Execution))
		require.NoError(w, p.Client.Finish(w.Context(), w.Execution))
		live, err := w.Admin().BatchV1().Jobs("ns").Get(w.Context(), foreign.Name, metav1.GetOptions{})
		require.NoError(w, err)
		require.Equal(w, foreign.Spec, live.Spec)
		own := w.Jobs()["a"]
		require.Len(w, own, 2)
		for _, job := range own {
			if job.UID != foreign.UID {
				require.Equal(w, int32(3600), *job.Spec.TTLSecondsAfterFinished)
			}
		}
	})
}
