package pods_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

// failedPod is one that failed with the code at a second.
func failedPod(name string, code int32, finished int, options ...option) *corev1.Pod {
	p := pod("Failed", append([]option{mainC("main", exited(code, "Error", finished, ""))}, options...)...)
	p.Name = name
	return p
}

// stoppedPod is one whose deletion began at a second.
func stoppedPod(name string, began int, options ...option) *corev1.Pod {
	p := failedPod(name, 143, began+1, options...)
	p.DeletionTimestamp = new(at(began))
	return p
}

func ofIndex(i int) option {
	return func(p *corev1.Pod) {
		p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: fmt.Sprint(i)}
	}
}

// lastRun makes the container one that was restarted.
func lastRun(code int32, reason string, finished int) option {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].LastTerminationState = exited(code, reason, finished, "")
	}
}

// TestFailures has what the random Jobs do not have.
func TestFailures(t *testing.T) {
	t.Parallel()
	exceeded := func(limit int32, failed, lost int) pods.JobEnd {
		return pods.JobEnd{Failed: true, Reason: "BackoffLimitExceeded", BackoffLimit: &limit, Decided: at(20).Time, Started: at(1).Time, FailedPods: failed, Lost: lost}
	}
	lost := failedPod("lost", 0, 0)
	lost.Status.Phase, lost.Status.ContainerStatuses = corev1.PodRunning, nil
	for name, tc := range map[string]struct {
		end  pods.JobEnd
		pods []*corev1.Pod
		want string // name:part
	}{
		"nothing is known of the Job": {pods.JobEnd{}, []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5), stoppedPod("c", 4)}, "b:2 a:2 c:5"},
		"the only pod is drained":     {exceeded(0, 1, 0), []*corev1.Pod{stoppedPod("a", 10, condition(corev1.DisruptionTarget, "True", "EvictionByEvictionAPI", ""))}, "a:1"},
		"one is drained, its peer stopped for it": {
			exceeded(0, 2, 0), []*corev1.Pod{stoppedPod("a", 20), stoppedPod("b", 18)}, "b:1 a:5",
		},
		"the one that decided is lost":    {exceeded(0, 2, 1), []*corev1.Pod{stoppedPod("a", 20)}, "a:5"},
		"the limit is unknown":            {pods.JobEnd{Failed: true, Reason: "BackoffLimitExceeded"}, []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5)}, "b:1 a:2"},
		"fewer than the limit are known":  {exceeded(6, 7, 5), []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5)}, "b:1 a:2"},
		"in the same second":              {exceeded(0, 2, 0), []*corev1.Pod{failedPod("a", 1, 3, ofIndex(4)), failedPod("b", 2, 3, ofIndex(3))}, "b:1 a:3"},
		"by a condition":                  {pods.JobEnd{Failed: true, Reason: "PodFailurePolicy", Message: "Pod ns/b has condition DisruptionTarget matching FailJob rule at index 0"}, []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5)}, "b:1 a:2"},
		"by a pod that is not there":      {pods.JobEnd{Failed: true, Reason: "PodFailurePolicy", Message: "Container pod for pod ns/c failed with exit code 42"}, []*corev1.Pod{failedPod("a", 1, 3)}, "a:2"},
		"a message of another controller": {pods.JobEnd{Failed: true, Reason: "PodFailurePolicy", Message: "pod"}, []*corev1.Pod{failedPod("a", 1, 3)}, "a:2"},
		"restarts": {
			exceeded(2, 2, 0), []*corev1.Pod{stoppedPod("a", 20, lastRun(1, "Error", 15)), stoppedPod("b", 20, lastRun(137, "OOMKilled", 18)), stoppedPod("c", 20)}, "b:1 a:3 c:5",
		},
		"a deadline": {
			pods.JobEnd{Failed: true, Reason: "DeadlineExceeded", Decided: at(20).Time}, []*corev1.Pod{stoppedPod("a", 20), stoppedPod("b", 8), failedPod("c", 1, 9)}, "c:2 a:5 b:4",
		},
		"a container fails, and the pod does not end": {
			exceeded(0, 2, 0), []*corev1.Pod{failedPod("a", 1, 18), stoppedPod("b", 20, mainC("early", exited(137, "OOMKilled", 5, "")))}, "a:1 b:3",
		},
		"its end was not seen": {exceeded(0, 1, 0), []*corev1.Pod{lost, failedPod("a", 1, 3)}, "a:1 lost:8"},
		"complete":             {pods.JobEnd{Reason: "SuccessPolicy", Decided: at(20).Time}, []*corev1.Pod{stoppedPod("a", 20), failedPod("b", 1, 3), pod("Succeeded", mainC("main", exited(0, "", 9, "")))}, "b:2 a:5"},
		"no failed index":      {pods.JobEnd{Failed: true, Reason: "FailedIndexes", FailedIndexes: new("")}, []*corev1.Pod{failedPod("a", 1, 3, ofIndex(0))}, "a:2"},
		"an index by its pod's deletion": {
			pods.JobEnd{Failed: true, Reason: "FailedIndexes", FailedIndexes: new("0,2-4"), Decided: at(20).Time},
			[]*corev1.Pod{stoppedPod("a", 9, ofIndex(3)), failedPod("b", 1, 3, ofIndex(1))}, "a:1 b:2",
		},
	} {
		var all []pods.Outcome
		for _, p := range tc.pods {
			all = append(all, pods.Inspect(p))
		}
		var got []string
		for _, f := range tc.end.Failures(all) {
			got = append(got, fmt.Sprintf("%s:%d", all[f.Pod].Name, f.Part))
		}
		require.Equal(t, tc.want, strings.Join(got, " "), name)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	exit := func(a batchv1.PodFailurePolicyAction, op batchv1.PodFailurePolicyOnExitCodesOperator, container *string, codes ...int32) batchv1.PodFailurePolicyRule {
		return batchv1.PodFailurePolicyRule{Action: a, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{ContainerName: container, Operator: op, Values: codes}}
	}
	disrupted := batchv1.PodFailurePolicyRule{Action: "Ignore", OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: "True"}}}
	three := failedPod("a", 3, 5)
	for name, tc := range map[string]struct {
		pod   *corev1.Pod
		rules []batchv1.PodFailurePolicyRule
		want  bool
	}{
		"no rule":                  {three, nil, false},
		"the code":                 {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", nil, 2, 3)}, true},
		"another code":             {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", nil, 2)}, false},
		"not another code":         {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "NotIn", nil, 2)}, true},
		"an earlier rule":          {three, []batchv1.PodFailurePolicyRule{exit("Count", "In", nil, 3), exit("Ignore", "In", nil, 3)}, false},
		"its container":            {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", new("main"), 3)}, true},
		"another container":        {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", new("side"), 3)}, false},
		"an init container":        {pod("Failed", initC("init", exited(3, "Error", 5, "")), mainC("main", waiting("PodInitializing", ""))), []batchv1.PodFailurePolicyRule{exit("Ignore", "In", nil, 3)}, true},
		"a condition":              {failedPod("a", 143, 5, condition(corev1.DisruptionTarget, "True", "x", "")), []batchv1.PodFailurePolicyRule{disrupted}, true},
		"a condition that is not":  {failedPod("a", 143, 5, condition(corev1.DisruptionTarget, "False", "x", "")), []batchv1.PodFailurePolicyRule{disrupted}, false},
		"a disrupted pod succeeds": {pod("Succeeded", mainC("main", exited(0, "", 5, "")), condition(corev1.DisruptionTarget, "True", "x", "")), []batchv1.PodFailurePolicyRule{disrupted}, false},
	} {
		require.Equal(t, tc.want, pods.Inspect(tc.pod).Judge(&batchv1.PodFailurePolicy{Rules: tc.rules}, tc.pod).Ignored, name)
	}
	require.False(t, pods.Inspect(three).Judge(nil, three).Ignored)
}

// TestRecordedRankIsStable: a record outlives the program that wrote it.
func TestRecordedRankIsStable(t *testing.T) {
	t.Parallel()
	all := []pods.Outcome{pods.Inspect(stoppedPod("a", 20, lastRun(1, "Error", 15)))}
	all[0].Rank, all[0].Part, all[0].Ignored, all[0].Containers[0].Injected = 1, pods.PartStopped, true, true
	text, _, err := pods.Encode(all, 0)
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"pods":[{"n":"a","u":"uid-1","nd":"node-1","p":"Failed","t":true,"q":"2026-03-01T12:00:20Z","g":true,"b":1,"w":5,
		"s":"2026-03-01T12:00:00Z","f":"2026-03-01T12:00:21Z",
		"c":[{"n":"main","k":"main","s":"Terminated","e":143,"r":"Error","l":{"s":"Terminated","e":1,"r":"Error","f":"2026-03-01T12:00:15Z"},"j":true,
		"i":"registry.example/main:1","a":"2026-03-01T12:00:01Z","f":"2026-03-01T12:00:21Z"}]}]}`, text)
	back, _, err := pods.Decode(text)
	require.NoError(t, err)
	require.Equal(t, all, back)
	require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8}, []int{
		int(pods.PartDecided), int(pods.PartCounted), int(pods.PartLater), int(pods.PartRemoved),
		int(pods.PartStopped), int(pods.PartSuspended), int(pods.PartIgnored), int(pods.PartUnknown),
	}, "the numbers are in records")
}

// KEP-4443 adds the name of the rule to the reason.
func TestNamedPodFailurePolicy(t *testing.T) {
	t.Parallel()
	failed := func(name string, at int) pods.Outcome {
		o := pods.Inspect(pod("Failed", mainC("main", exited(42, "Error", at, ""))))
		o.Name = name
		return o
	}
	all := []pods.Outcome{failed("first", 1), failed("second", 2)}
	for reason, decided := range map[string]bool{
		batchv1.JobReasonPodFailurePolicy: true, "PodFailurePolicy_config": true, "PodFailurePolicyOfOthers": false,
	} {
		end := pods.JobEnd{Failed: true, Reason: reason, Message: "Container main for pod ns/first failed with exit code 42 matching FailJob rule at index 0"}
		require.Equal(t, decided, end.DecidedByPods())
		require.Equal(t, decided, end.Failures(all)[0] == pods.Failure{Pod: 0, Part: pods.PartDecided})
	}
}
