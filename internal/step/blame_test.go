package step

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/watch"
)

// TestVictimIsNotNamedForOneThatIsLost: the pod that decided is gone, and the only one
// that was seen is one that was stopped for it.
func TestVictimIsNotNamedForOneThatIsLost(t *testing.T) {
	t.Parallel()
	status := ended(batchv1.JobFailed, 0, 2)
	status.Conditions[0].Reason, status.Conditions[0].Message = batchv1.JobReasonBackoffLimitExceeded, "Job has reached \u202ethe limit\u2028"
	victim := testPod("p-1", 1, corev1.PodFailed, 143, false).Object().DeepCopy()
	victim.DeletionTimestamp = &victim.CreationTimestamp
	for name, seen := range map[string]*watch.Pod{"": nil, "p-2": testPod("p-2", 1, corev1.PodFailed, 7, false)} {
		var v state
		v.apply(Event{job: testJob(9, status)})
		v.apply(Event{pod: watch.NewPod(victim)})
		if seen != nil {
			v.apply(Event{pod: seen})
		}
		o := v.outcome(0, time.Time{})
		require.Equal(t, seen == nil, o.Lost == 1)
		cause, found := o.Cause()
		require.Equal(t, seen != nil, found)
		require.Equal(t, name, cause.Name)
		require.Equal(t, "Job has reached the limit ", o.Message, "it is plain text")
		require.Equal(t, found, o.progress().Message != o.Message)
		require.NotContains(t, o.Explain(), "143")
	}
}

// TestCauseSurvivesACutRecord: the record of 10,000 pods has room for few.
func TestCauseSurvivesACutRecord(t *testing.T) {
	t.Parallel()
	status := ended(batchv1.JobFailed, 0, 10_000)
	status.Conditions[0].Reason = batchv1.JobReasonBackoffLimitExceeded
	var v state
	v.apply(Event{job: testJob(9, status)})
	for i := range 10_000 {
		p := testPod(fmt.Sprintf("pod-%05d", i), 1, corev1.PodFailed, 143, false).Object().DeepCopy()
		if i == 7_777 {
			p.Status.ContainerStatuses[0].State.Terminated.ExitCode = 7
			p.Status.ContainerStatuses[0].State.Terminated.Message = "the last line"
		} else {
			p.DeletionTimestamp = &p.CreationTimestamp
		}
		v.apply(Event{pod: watch.NewPod(p)})
	}
	text, err := v.outcome(0, time.Time{}).encode()
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), 16*1024)
	o, err := decode("ns", "job", text, nil)
	require.NoError(t, err)
	require.Greater(t, len(o.Pods), 50)
	cause, found := o.Cause()
	require.True(t, found)
	require.Equal(t, "pod-07777", cause.Name)
	require.Contains(t, o.Explain(), "exit code 7: the last line")
}
