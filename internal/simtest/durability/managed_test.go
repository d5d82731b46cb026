package durability_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/simtest"
)

const manager = "kueue.x-k8s.io/multikueue"

// runElsewhere plays Kueue's webhook, which gives a Job of a queue of MultiKueue to that
// controller, and the controller, which copies the status from another cluster.
func runElsewhere(w *simtest.World, failed bool) {
	w.Helper()
	w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		if job, ok := a.Object.(*batchv1.Job); ok && a.Verb == "create" {
			job.Spec.ManagedBy = new(manager)
		}
		return nil
	})
	update := func(after time.Duration, change func(s *batchv1.JobStatus)) {
		time.AfterFunc(after, func() {
			for _, list := range w.Jobs() {
				change(&list[0].Status)
				_, err := w.Admin().BatchV1().Jobs("ns").UpdateStatus(w.Context(), &list[0], metav1.UpdateOptions{})
				if err != nil {
					w.Error(err)
				}
			}
		})
	}
	time.AfterFunc(time.Minute-time.Second, func() { suspend(w, false) })
	update(time.Minute, func(s *batchv1.JobStatus) { s.StartTime, s.Active = new(metav1.Now()), 1 })
	update(time.Hour, func(s *batchv1.JobStatus) {
		s.Active = 0
		kinds, reason, message := []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}, "CompletionsReached", "Reached expected number of succeeded pods"
		if s.Succeeded, s.CompletionTime = 1, new(metav1.Now()); failed {
			s.Succeeded, s.Failed, s.CompletionTime = 0, 1, nil
			kinds, reason, message = []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed}, "BackoffLimitExceeded", "Job has reached the specified backoff limit"
		}
		for _, kind := range kinds {
			s.Conditions = append(s.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: metav1.Now()})
		}
	})
}

// TestPodElsewhere: the result of a RunPod that another cluster has run is that of the
// Job, at once and without a list of pods. Whatever would need the pod says why there is
// none, in this worker, after a resume and after the result was saved as JSON.
func TestPodElsewhere(t *testing.T) {
	t.Parallel()
	for name, failed := range map[string]bool{"completes": false, "fails": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				runElsewhere(w, failed)
				options := simtest.Script("matrix", "true")
				options.Logs, options.Queue = new(bytes.Buffer), "remote"
				for worker := range 2 {
					p := w.Worker()
					ktx := p.ExecutionContext()
					step, err := kontinue.StartScript(ktx, options)
					require.NoError(t, err)
					if worker == 0 {
						w.Sleep(2 * time.Minute)
						require.Equal(t, kontinue.StepRunning, step.Progress().State)
					}
					began := time.Now()
					first, err := step.Wait(w.Context())
					require.NoError(t, err)
					require.LessOrEqual(t, time.Since(began), 58*time.Minute+time.Second, "the Job ends the step, and nothing is waited for")
					if worker == 0 {
						require.Equal(t, []string{"managedBy: " + manager + " -> unset (removed, or added by the cluster)"}, first.Mutations())
						require.ErrorIs(t, first.LogReport.Err, kontinue.ErrNoPods)
						require.False(t, first.LogReport.Complete)
					}
					require.Empty(t, first.Drift())
					require.ErrorIs(t, step.Logs(w.Context(), new(bytes.Buffer), nil), kontinue.ErrNoPods)
					for _, r := range []*kontinue.PodResult{first, viaJSON(t, first)} {
						requireElsewhere(t, ktx, r, failed)
					}
					require.Zero(t, w.Cluster.APIServer().Stats().Count(p.User, "list", "pods")-1, "but for that of the informer")
				}
			})
		})
	}
}

func requireElsewhere(t *testing.T, ktx *kontinue.ExecutionContext, r *kontinue.PodResult, failed bool) {
	t.Helper()
	require.Equal(t, !failed, r.Succeeded())
	if failed {
		require.Equal(t, corev1.PodFailed, r.Phase)
		var exit *kontinue.ExitError
		require.ErrorAs(t, r.Err(), &exit)
		require.Equal(t, "BackoffLimitExceeded", exit.Reason)
		require.Equal(t, kontinue.ClassUser, exit.Class)
		require.ErrorContains(t, exit, "managed by "+manager+", its pods are not in this cluster")
	} else {
		require.NoError(t, r.Err())
		require.Equal(t, corev1.PodSucceeded, r.Phase)
		require.Empty(t, r.Message)
	}
	_, logs := r.Logs(ktx, nil)
	_, summary := r.LogErrorSummary(ktx)
	output := kontinue.DecodeOutput(r, new(any))
	require.Empty(t, r.Output(""))
	for _, err := range []error{logs, summary, output} {
		require.ErrorIs(t, err, kontinue.ErrNoPods)
		require.NotErrorIs(t, err, kontinue.ErrLogsGone)
		require.ErrorContains(t, err, "is managed by "+manager)
		require.ErrorContains(t, err, "another cluster")
	}
	if failed {
		require.ErrorContains(t, output, r.Err().Error())
	}
}

// TestCancelElsewhere: a controller that does not end a Job that was canceled is named.
func TestCancelElsewhere(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		runElsewhere(w, false)
		p := w.Worker()
		step, err := kontinue.StartScript(p.ExecutionContext(), simtest.Script("matrix", "true"))
		require.NoError(t, err)
		w.Sleep(2 * time.Minute)
		require.NoError(t, step.Cancel(w.Context()))
		_, err = step.Wait(w.Context())
		require.ErrorIs(t, err, kontinue.ErrCanceled)
		require.ErrorContains(t, err, "is "+manager+" running")
	})
}
