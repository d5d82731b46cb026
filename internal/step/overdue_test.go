package step

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/watch"
)

// TestLateByTheClusterAlone: a Job never ends. It is late at the same time whatever the
// clock of this machine says, and a wait that begins late learns the time from whatever
// the cluster stamps.
func TestLateByTheClusterAlone(t *testing.T) {
	t.Parallel()
	const deadline = time.Hour
	for name, tc := range map[string]struct {
		ahead time.Duration // of this machine's clock
		since time.Duration // the Job has run for that long when the wait begins
		other bool          // another Job is created at that time, and waited for
		ends  bool          // the Job controller stops the Job at its deadline, in vain
		want  time.Duration // from the begin of the wait
	}{
		"same clocks":                        {want: deadline + deadlineSlack},
		"own clock is ahead":                 {ahead: 15 * time.Minute, want: deadline + deadlineSlack},
		"own clock is a day ahead":           {ahead: 24 * time.Hour, want: deadline + deadlineSlack},
		"own clock is behind":                {ahead: -15 * time.Minute, want: deadline + deadlineSlack},
		"resumed, and nothing else happens":  {since: 40 * time.Minute, want: deadline + deadlineSlack},
		"resumed, and another job starts":    {since: 40 * time.Minute, other: true, want: 20*time.Minute + deadlineSlack},
		"resumed, and the controller acts":   {since: 40 * time.Minute, ends: true, want: 20*time.Minute + deadlineSlack},
		"resumed after the controller acted": {since: 5 * time.Hour, ends: true, want: deadlineSlack},
		"resumed, and own clock is ahead":    {since: 40 * time.Minute, ahead: 15 * time.Minute, ends: true, want: 20*time.Minute + deadlineSlack},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rigs := newRigs()
				r := rigs.start(t)
				defer r.wait.end()
				cluster := func() metav1.Time { return metav1.NewTime(time.Now().Add(-tc.ahead)) }
				started := metav1.NewTime(cluster().Add(-tc.since))
				r.change(func(job *batchv1.Job) {
					job.Spec.ActiveDeadlineSeconds, job.Status.StartTime = new(int64(deadline.Seconds())), &started
				})
				r.queue = r.queue[1:]
				rigs.Clock.ahead.Store(0) // what the first event of the rig says
				act := func() {
					rigs.serving.Lock()
					defer rigs.serving.Unlock()
					if over := cluster(); tc.ends && over.Sub(started.Time) >= deadline {
						r.change(func(job *batchv1.Job) {
							job.Status.Conditions = []batchv1.JobCondition{{
								Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(started.Add(deadline)),
							}}
						})
					}
					for len(r.queue) > 0 {
						r.deliver()
					}
				}
				act()
				time.AfterFunc(deadline-tc.since, act)
				if tc.other {
					rigs.Clock.observeJob(&watch.Job{Meta: watch.Meta{CreationTimestamp: cluster()}})
				}
				began := time.Now()
				err := r.untilDone(t.Context())
				require.ErrorIs(t, err, ErrDeadlineExceeded)
				require.ErrorContains(t, err, "is the Job controller running")
				require.InDelta(t, tc.want.Seconds(), time.Since(began).Seconds(), 2)
			})
		})
	}
}
