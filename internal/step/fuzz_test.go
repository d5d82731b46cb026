package step

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/pods"
)

// FuzzOrderOfEvents: seed draws what happens to a Job and its pods, and order the order
// in which the two watches deliver it. The outcome only depends on the seed.
func FuzzOrderOfEvents(f *testing.F) {
	f.Add(uint64(1), uint64(1))
	f.Add(uint64(7), uint64(1<<63))
	f.Add(uint64(12345), uint64(0))
	f.Fuzz(func(t *testing.T, seed, order uint64) {
		streams := history(rand.New(rand.NewPCG(seed, 2)))
		var inOrder, shuffled state
		for _, s := range streams {
			for _, e := range s {
				inOrder.apply(e)
			}
		}
		require.Equal(t, done, inOrder.decision())
		want := summary(t, &inOrder)
		for _, e := range interleave(rand.New(rand.NewPCG(order, 3)), streams) {
			shuffled.apply(e)
			if shuffled.decision() == done {
				require.Equal(t, want, summary(t, &shuffled), "it settles early on another outcome")
			}
		}
		require.Equal(t, done, shuffled.decision())
	})
}

// bytesSource draws from a fuzzer's bytes, and 0 when they are used up.
type bytesSource struct{ data []byte }

func (s *bytesSource) roll(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// status draws a Job's status, legal or not: both conditions, counters that the
// conditions contradict, a Complete Job with failed pods.
func (s *bytesSource) status() batchv1.JobStatus {
	var status batchv1.JobStatus
	kinds := []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet, batchv1.JobSuspended}
	reasons := []string{"", batchv1.JobReasonBackoffLimitExceeded, batchv1.JobReasonDeadlineExceeded, batchv1.JobReasonPodFailurePolicy, "Unheard"}
	for range s.roll(4) {
		status.Conditions = append(status.Conditions, batchv1.JobCondition{
			Type:   kinds[s.roll(len(kinds))],
			Status: []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown}[s.roll(3)],
			Reason: reasons[s.roll(len(reasons))], Message: "as the cluster says",
		})
	}
	status.Succeeded, status.Failed = int32(s.roll(4)), int32(s.roll(4))
	status.Active = int32(s.roll(4))
	if s.roll(2) == 1 {
		status.StartTime = &metav1.Time{Time: time.Unix(1, 0)}
	}
	return status
}

func (s *bytesSource) event(rv int) Event {
	phases := []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown, ""}
	deleted := s.roll(4) == 3
	if s.roll(3) == 0 {
		job := testJob(rv-s.roll(2), s.status())
		if s.roll(4) == 3 {
			job.DeletionTimestamp = &metav1.Time{Time: time.Unix(2, 0)}
		}
		job.Canceled = s.roll(4) == 3
		return Event{job: job, deleted: deleted}
	}
	name := []string{"p-1", "p-2", "p-3"}[s.roll(3)]
	return Event{pod: testPod(name, rv-s.roll(2), phases[s.roll(len(phases))], int32(s.roll(256)), s.roll(2) == 1), deleted: deleted}
}

// FuzzOutcome folds in arbitrary events, also impossible ones, and compares the outcome
// with what they prove.
func FuzzOutcome(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0})
	f.Add([]byte{0, 0, 0, 1, 1, 0, 1, 0, 2, 0, 0, 0, 0, 3, 1, 1, 0, 3, 7, 0, 3, 2, 1, 1})
	f.Add([]byte{3, 0, 0, 2, 0, 0, 0, 1, 0, 0, 3, 3, 3, 1, 3, 3, 0, 1, 2, 3, 9, 1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &bytesSource{data}
		var v state
		for rv := 2; len(s.data) > 0; rv++ {
			v.apply(s.event(rv))
			v.progress()
			v.allowance()
			v.decision()
		}
		if v.job == nil {
			require.Equal(t, running, v.decision())
			return
		}
		terminal := false
		for _, c := range v.job.Status.Conditions {
			terminal = terminal || (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
		}
		is := v.decision()
		require.False(t, !terminal && (is == done || is == podsPending), "nothing but Complete or Failed proves an end")
		require.False(t, terminal && (is == running || is == deleted), "an end stands")
		if !terminal {
			return
		}
		o := v.outcome(3, time.Time{})
		text, err := o.encode()
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), pods.MaxRecordBytes)
		require.True(t, json.Valid([]byte(text)))
		again, err := decode("ns", "job", text, nil)
		require.NoError(t, err)

		require.Equal(t, o.Text(), again.Text())
		require.Equal(t, o.Failed, again.Failed)
		require.Len(t, again.Pods, len(o.Pods))
		for i, p := range o.Pods {
			require.Equal(t, p.Succeeded(), again.Pods[i].Succeeded())
			require.Equal(t, p.Explain(), again.Pods[i].Explain())
		}
		pod, err := o.SinglePod()
		same, err2 := again.SinglePod()
		require.Equal(t, err == nil, err2 == nil)
		if err == nil {
			require.Equal(t, o.SinglePodSucceeded(pod), again.SinglePodSucceeded(same))
			require.False(t, o.SinglePodSucceeded(pod) && o.Failed, "a failed Job has no pod that did its work")
		}
	})
}
