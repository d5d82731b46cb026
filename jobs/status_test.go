package jobs_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/jobs"
)

// Statuses as a cluster (1.37) wrote them, in the order of their life.
func TestClassify(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		tm, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return tm
	}
	started := at("2026-03-01T10:00:00Z")
	const begun = `"startTime":"2026-03-01T10:00:00Z"`
	for _, tc := range []struct {
		name, status, text string
		want               jobs.Status
	}{
		{"created", `{}`, "Pending", jobs.Status{}},
		{"running", `{"active":1,"ready":1,"terminating":0,` + begun + `}`, "Running", jobs.Status{Active: 1, Started: started}},
		{
			"between pods", `{"failed":2,` + begun + `}`, "Pending",
			jobs.Status{FailedPods: 2, Started: started},
		},
		{
			"failed pod of a job that still runs", `{"active":1,"failed":1,` + begun + `}`, "Running",
			jobs.Status{Active: 1, FailedPods: 1, Started: started},
		},
		{
			"counters alone are no end", `{"succeeded":1,` + begun + `,"completionTime":"2026-03-01T10:00:07Z"}`, "Pending",
			jobs.Status{Succeeded: 1, Started: started},
		},
		{
			"success criteria met", `{"uncountedTerminatedPods":{"succeeded":["p"]},` + begun + `,"conditions":[
			{"type":"SuccessCriteriaMet","status":"True","reason":"CompletionsReached","message":"Reached expected number of succeeded pods"}]}`, "Ending",
			jobs.Status{Ending: true, Reason: "CompletionsReached", Message: "Reached expected number of succeeded pods", Started: started},
		},
		{
			"complete", `{"succeeded":1,` + begun + `,"completionTime":"2026-03-01T10:00:07Z","conditions":[
			{"type":"SuccessCriteriaMet","status":"True","reason":"CompletionsReached","message":"m1"},
			{"type":"Complete","status":"True","reason":"CompletionsReached","message":"m2","lastTransitionTime":"2026-03-01T10:00:08Z"}]}`, "Complete",
			jobs.Status{Terminal: true, Reason: "CompletionsReached", Message: "m2", Succeeded: 1, Started: started, Finished: at("2026-03-01T10:00:07Z")},
		},
		{
			"failed:1, then complete", `{"succeeded":1,"failed":1,` + begun + `,"conditions":[
			{"type":"Complete","status":"True","lastTransitionTime":"2026-03-01T10:00:08Z"}]}`, "Complete",
			jobs.Status{Terminal: true, Succeeded: 1, FailedPods: 1, Started: started, Finished: at("2026-03-01T10:00:08Z")},
		},
		{
			"complete is false", `{"succeeded":1,"conditions":[{"type":"Complete","status":"False","reason":"x"}]}`, "Pending",
			jobs.Status{Succeeded: 1},
		},
		{
			"failed is unknown", `{"conditions":[{"type":"Failed","status":"Unknown","reason":"x"}]}`, "Pending",
			jobs.Status{},
		},
		{
			"failure target, pod terminating", `{"terminating":1,` + begun + `,"conditions":[
			{"type":"FailureTarget","status":"True","reason":"DeadlineExceeded","message":"Job was active longer than specified deadline"}]}`, "Ending",
			jobs.Status{Ending: true, Terminating: 1, Reason: "DeadlineExceeded", Message: "Job was active longer than specified deadline", Started: started},
		},
		{
			"failed", `{"failed":1,` + begun + `,"conditions":[
			{"type":"FailureTarget","status":"True","reason":"BackoffLimitExceeded","message":"m"},
			{"type":"Failed","status":"True","reason":"BackoffLimitExceeded","message":"m","lastTransitionTime":"2026-03-01T10:00:09Z"}]}`, "Failed",
			jobs.Status{Terminal: true, Failed: true, FailedPods: 1, Reason: "BackoffLimitExceeded", Message: "m", Started: started, Finished: at("2026-03-01T10:00:09Z")},
		},
		{
			"failed with a succeeded pod", `{"succeeded":1,"failed":1,"conditions":[
			{"type":"Failed","status":"True","reason":"FailedIndexes","lastTransitionTime":"2026-03-01T10:00:09Z"}]}`, "Failed",
			jobs.Status{Terminal: true, Failed: true, Succeeded: 1, FailedPods: 1, Reason: "FailedIndexes", Finished: at("2026-03-01T10:00:09Z")},
		},
		{
			"suspended", `{"conditions":[{"type":"Suspended","status":"True","reason":"JobSuspended","message":"Job suspended"}]}`, "Suspended",
			jobs.Status{Suspended: true, Reason: "JobSuspended", Message: "Job suspended"},
		},
		{
			"resumed", `{"active":1,` + begun + `,"conditions":[{"type":"Suspended","status":"False","reason":"JobResumed","message":"Job resumed"}]}`, "Running",
			jobs.Status{Active: 1, Started: started},
		},
		{
			"resumed and complete", `{"succeeded":1,"conditions":[{"type":"Suspended","status":"False","reason":"JobResumed"},
			{"type":"Complete","status":"True","reason":"CompletionsReached","lastTransitionTime":"2026-03-01T10:00:08Z"}]}`, "Complete",
			jobs.Status{Terminal: true, Succeeded: 1, Reason: "CompletionsReached", Finished: at("2026-03-01T10:00:08Z")},
		},
		{
			"suspended when it failed", `{"conditions":[{"type":"Suspended","status":"True","reason":"JobSuspended"},
			{"type":"Failed","status":"True","reason":"PodFailurePolicy","lastTransitionTime":"2026-03-01T10:00:08Z"}]}`, "Failed",
			jobs.Status{Terminal: true, Failed: true, Reason: "PodFailurePolicy", Finished: at("2026-03-01T10:00:08Z")},
		},
		{
			"both, from a careless controller", `{"completionTime":"2026-03-01T10:00:01Z","conditions":[
			{"type":"Complete","status":"True","reason":"c"},{"type":"Failed","status":"True","reason":"f","lastTransitionTime":"2026-03-01T10:00:08Z"}]}`, "Failed",
			jobs.Status{Terminal: true, Failed: true, Reason: "f", Finished: at("2026-03-01T10:00:08Z")},
		},
		{
			"unknown condition", `{"active":1,"conditions":[{"type":"example.com/Frozen","status":"True","reason":"x"}]}`, "Running",
			jobs.Status{Active: 1},
		},
	} {
		var s batchv1.JobStatus
		require.NoError(t, json.Unmarshal([]byte(tc.status), &s), tc.name)
		got := jobs.Classify(&s)
		got.Started, got.Finished = utc(got.Started), utc(got.Finished)
		require.Equal(t, tc.want, got, tc.name)
		require.Equal(t, tc.text, got.String(), tc.name)
	}
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// FuzzClassify builds conditions from bytes and compares Classify with the rule: terminal
// if and only if Complete or Failed is True.
func FuzzClassify(f *testing.F) {
	for _, seed := range [][]byte{nil, {0}, {1}, {4, 0}, {1, 5}, {2, 3, 0}, {0, 1}, {9, 10, 14}} {
		f.Add(seed, int32(1), int32(0))
		f.Add(seed, int32(0), int32(2))
	}
	kinds := []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed, batchv1.JobSuccessCriteriaMet, batchv1.JobFailureTarget, batchv1.JobSuspended}
	states := []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown}
	f.Fuzz(func(t *testing.T, raw []byte, succeeded, failed int32) {
		s := batchv1.JobStatus{Succeeded: succeeded, Failed: failed}
		is := map[batchv1.JobConditionType]bool{}
		for _, b := range raw {
			kind, state := kinds[int(b)%len(kinds)], states[int(b)/len(kinds)%len(states)]
			s.Conditions = append(s.Conditions, batchv1.JobCondition{Type: kind, Status: state, Reason: string(kind)})
			is[kind] = is[kind] || state == corev1.ConditionTrue
		}
		got := jobs.Classify(&s)
		require.Equal(t, is[batchv1.JobComplete] || is[batchv1.JobFailed], got.Terminal)
		require.Equal(t, is[batchv1.JobFailed], got.Failed)
		require.Equal(t, !got.Terminal && (is[batchv1.JobSuccessCriteriaMet] || is[batchv1.JobFailureTarget]), got.Ending)
		require.Equal(t, !got.Terminal && is[batchv1.JobSuspended], got.Suspended)
		require.Equal(t, succeeded, got.Succeeded)
		require.Equal(t, failed, got.FailedPods)
		require.Equal(t, got.Reason != "", got.Terminal || got.Ending || got.Suspended)
	})
}
