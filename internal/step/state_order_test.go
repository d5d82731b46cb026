package step

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/watch"
)

// history holds what two watches deliver about one Job: the Job's events in order, and
// those of each pod in order.
func history(rnd *rand.Rand) [][]Event {
	pods := 1 + rnd.IntN(4)
	var succeeded, failed int32
	rv := 0
	next := func() int { rv++; return rv }
	streams := make([][]Event, 0, pods+1)
	jobEvents := []Event{{job: testJob(next(), batchv1.JobStatus{})}, {job: testJob(next(), batchv1.JobStatus{Active: 1})}}
	for i := range pods {
		name := fmt.Sprintf("pod-%d", i)
		phase, exit := corev1.PodSucceeded, int32(0)
		if rnd.IntN(2) == 0 {
			phase, exit = corev1.PodFailed, int32(1+rnd.IntN(100))
		}
		events := []Event{
			{pod: testPod(name, next(), corev1.PodPending, 0, true)},
			{pod: testPod(name, next(), corev1.PodRunning, 0, true)},
			{pod: testPod(name, next(), phase, exit, true)},
			{pod: testPod(name, next(), phase, exit, false)},
		}
		if phase == corev1.PodSucceeded {
			succeeded++
		} else {
			failed++
		}
		if rnd.IntN(3) == 0 {
			events = append(events, Event{pod: testPod(name, next(), phase, exit, false), deleted: true})
		}
		streams = append(streams, events)
	}
	condition := batchv1.JobComplete
	if failed > 0 {
		condition = batchv1.JobFailed
	}
	final := ended(condition, succeeded, failed)
	jobEvents = append(jobEvents, Event{job: testJob(next(), final)})
	if rnd.IntN(3) == 0 {
		jobEvents = append(jobEvents, Event{job: testJob(next(), final), deleted: true})
	}
	return append(streams, jobEvents)
}

// interleave merges the streams in a random order that keeps each one's, and
// repeats events as a relist does.
func interleave(rnd *rand.Rand, streams [][]Event) []Event {
	at := make([]int, len(streams))
	var merged []Event
	for {
		var open []int
		for i, s := range streams {
			if at[i] < len(s) {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			return merged
		}
		i := open[rnd.IntN(len(open))]
		merged = append(merged, streams[i][at[i]])
		at[i]++
		if rnd.IntN(4) == 0 { // a relist repeats the newest state
			merged = append(merged, streams[i][at[i]-1])
		}
	}
}

// TestAnyOrderOfEventsGivesTheSameOutcome also requires that no prefix settles
// on a different one: an early result must equal a late one.
func TestAnyOrderOfEventsGivesTheSameOutcome(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		streams := history(rnd)
		want := ""
		for range 20 {
			var v state
			var first string
			for _, e := range interleave(rnd, streams) {
				v.apply(e)
				require.NotEqual(t, deleted, v.decision(), "seed %d", seed)
				if v.decision() == done && first == "" {
					first = summary(t, &v)
				}
			}
			require.Equal(t, done, v.decision(), "seed %d", seed)
			if want == "" {
				want = first
			}
			require.Equal(t, want, first, "seed %d", seed)
		}
	}
}

// TestEndOfTheOnlyPodInAnyOrder: the Job controller announces the end of a Job with one pod
// when that has ended. Which of the two watches shows it first makes no difference, and an
// announcement of another end contests what the pod proves.
func TestEndOfTheOnlyPodInAnyOrder(t *testing.T) {
	t.Parallel()
	const success, failure = batchv1.JobSuccessCriteriaMet, batchv1.JobFailureTarget
	for _, tc := range []struct {
		announced batchv1.JobConditionType
		reason    string
		phase     corev1.PodPhase
		want      decision
	}{
		{success, batchv1.JobReasonCompletionsReached, corev1.PodSucceeded, done},
		{failure, batchv1.JobReasonBackoffLimitExceeded, corev1.PodFailed, done},
		{failure, batchv1.JobReasonBackoffLimitExceeded, corev1.PodSucceeded, running}, // as after an eviction
		{failure, batchv1.JobReasonDeadlineExceeded, corev1.PodFailed, running},
		{failure, batchv1.JobReasonDeadlineExceeded, corev1.PodSucceeded, running},
		{success, batchv1.JobReasonSuccessPolicy, corev1.PodSucceeded, running},
		{success, batchv1.JobReasonCompletionsReached, corev1.PodRunning, running},
	} {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job", UID: "j", ResourceVersion: "9"}}
		job.Spec.BackoffLimit = new(int32)
		job.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c"}}}
		job.Status.Conditions = []batchv1.JobCondition{{Type: tc.announced, Status: corev1.ConditionTrue, Reason: tc.reason}}
		pod := testPod("p1", 8, tc.phase, 0, true)
		pod.Object().Spec.RestartPolicy = corev1.RestartPolicyNever
		events := []Event{{job: watch.NewJob(job)}, {pod: pod}}
		for range 2 {
			v := state{until: UntilPod}
			for _, e := range events {
				require.Equal(t, running, v.decision())
				v.apply(e)
			}
			require.Equal(t, tc.want, v.decision(), "%s %s, pod %s", tc.announced, tc.reason, tc.phase)
			slices.Reverse(events)
		}
	}
}

// summary returns the recorded outcome without which pods were seen deleted, which
// depends on the time.
func summary(t *testing.T, v *state) string {
	t.Helper()
	o := v.outcome(0, time.Time{})
	for i := range o.Pods {
		o.Pods[i].Deleted = false
	}
	text, err := o.encode()
	require.NoError(t, err)
	return text
}
