package step

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
)

// TestSuspensionWakes: a step that a queue evicts is woken, also if nothing else is to be
// done, and its queue is asked once; a change of the Job that is none of the suspension
// neither wakes it nor sets the alarm again.
func TestSuspensionWakes(t *testing.T) {
	t.Parallel()
	rigs := newRigs()
	r := rigs.start(t)
	defer r.wait.end()
	evaluate := func() {
		t.Helper()
		final, err := r.wait.evaluate()
		require.NoError(t, err)
		require.False(t, final)
	}
	change := func(how func(*batchv1.Job)) (woken bool) {
		t.Helper()
		r.change(how)
		r.deliver()
		woken = r.woken()
		if woken {
			<-r.wakes
		}
		evaluate()
		return woken
	}
	r.deliver()
	r.wait.state.limits = nil // which wake it, too
	evaluate()
	require.False(t, r.wait.queue.set())
	suspend := func(on bool) func(*batchv1.Job) {
		return func(job *batchv1.Job) {
			job.Labels = map[string]string{identity.LabelQueue: "main"}
			job.Spec.Suspend = &on
		}
	}
	require.True(t, change(suspend(true)))
	require.True(t, r.wait.queue.set())
	require.True(t, change(func(job *batchv1.Job) {
		job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(time.Unix(9, 0))}}
	}), "it is known since when now")
	r.wait.queue.clear() // it was asked
	require.False(t, change(func(job *batchv1.Job) { job.Status.Ready = new(int32(0)) }))
	require.False(t, r.wait.queue.set())
	require.True(t, change(suspend(false)))
	require.False(t, r.wait.queue.set())
	require.False(t, change(func(job *batchv1.Job) { job.Labels = nil }))
	require.False(t, change(func(job *batchv1.Job) { job.Spec.Suspend = new(true) }), "without a queue there is nothing to ask")
	require.False(t, r.wait.queue.set())
}

// TestManagedState: of a Job that runs elsewhere no pod is missed, and the Job is running
// when its status says so.
func TestManagedState(t *testing.T) {
	t.Parallel()
	var s state
	job := testJob(1, batchv1.JobStatus{Active: 1})
	job.ManagedBy = "example.com/elsewhere"
	s.apply(Event{job: job})
	require.Equal(t, Running, s.progress().State)
	require.Equal(t, running, s.decision())
	failed := testJob(2, ended(batchv1.JobFailed, 1, 3))
	failed.ManagedBy = job.ManagedBy
	s.apply(Event{job: failed})
	require.Equal(t, done, s.decision())
	o := s.outcome(0, time.Time{})
	require.Zero(t, o.Lost)
	require.ErrorIs(t, o.NoPods(), ErrNoPods)
	p, err := o.SinglePod()
	require.NoError(t, err)
	require.Equal(t, corev1.PodFailed, p.Phase)

	// A controller of this cluster may have made pods here, which count.
	s.apply(Event{pod: testPod("pod-1", 1, corev1.PodFailed, 3, false)})
	require.NoError(t, s.outcome(0, time.Time{}).NoPods())
	require.NoError(t, (*Outcome)(nil).NoPods())
}
