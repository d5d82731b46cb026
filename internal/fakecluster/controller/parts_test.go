package controller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func TestIndexSets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in          string
		completions int
		want        string
	}{
		{"", 10, ""},
		{"1", 10, "1"},
		{"1,2", 10, "1,2"},
		{"1,2,3", 10, "1-3"},
		{"0-2,4,6-7", 10, "0-2,4,6,7"},
		{"0-20", 5, "0-4"},
		{"7", 5, ""},
		{"x,1,2-y,3", 10, "1,3"},
	} {
		require.Equal(t, tc.want, parseIndexes(tc.in, tc.completions).String(), tc.in)
	}
}

func FuzzIndexSets(f *testing.F) {
	f.Add("0-2,4,6-7")
	f.Fuzz(func(t *testing.T, text string) {
		set := parseIndexes(text, 50)
		again := parseIndexes(set.String(), 50)
		require.Equal(t, set, again)
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	at := func(ago time.Duration, phase corev1.PodPhase) *corev1.Pod {
		return podIn("p"+ago.String(), phase, "finished="+ago.String())
	}
	b := backoff{}.after(nil, []*corev1.Pod{at(8*time.Second, corev1.PodFailed), at(2*time.Second, corev1.PodFailed)})
	require.Equal(t, backoff{failures: 2, last: now.Add(-2 * time.Second)}, b)
	require.Equal(t, 18*time.Second, b.wait(now, 10*time.Second, time.Minute))
	require.Equal(t, time.Duration(0), b.wait(now.Add(time.Hour), 10*time.Second, time.Minute))
	require.Equal(t, time.Duration(0), b.wait(now, -1, time.Minute), "no delay wanted")

	b = b.after([]*corev1.Pod{at(5*time.Second, corev1.PodSucceeded)}, []*corev1.Pod{at(6*time.Second, corev1.PodFailed), at(time.Second, corev1.PodFailed)})
	require.Equal(t, 1, b.failures, "failures before the last success do not count")
	require.Equal(t, backoff{}, b.after([]*corev1.Pod{at(0, corev1.PodSucceeded)}, nil))

	many := backoff{failures: 60, last: now}
	require.Equal(t, 10*time.Minute, many.wait(now, 10*time.Second, 10*time.Minute))
}

func TestFinishedAt(t *testing.T) {
	t.Parallel()
	created := now.Add(-time.Minute)
	running := podIn("a", corev1.PodRunning)
	require.Equal(t, created, finishedAt(running))
	deleting := podIn("a", corev1.PodRunning, "deleting")
	deleting.DeletionGracePeriodSeconds = ptr.To[int64](30)
	require.Equal(t, now.Add(-30*time.Second), finishedAt(deleting))
	require.Equal(t, now.Add(-7*time.Second), finishedAt(podIn("a", corev1.PodFailed, "finished=7s")))
	sidecar := podIn("a", corev1.PodSucceeded, "finished=7s")
	sidecar.Spec.InitContainers = []corev1.Container{{Name: "sc", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	sidecar.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "sc", State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{FinishedAt: seconds(now)},
	}}}
	require.Equal(t, now, finishedAt(sidecar), "a sidecar ends later")
}

func TestPodFailureRules(t *testing.T) {
	t.Parallel()
	exit := func(op batchv1.PodFailurePolicyOnExitCodesOperator, container *string, values ...int32) batchv1.PodFailurePolicyRule {
		return batchv1.PodFailurePolicyRule{Action: batchv1.PodFailurePolicyActionIgnore, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
			ContainerName: container, Operator: op, Values: values,
		}}
	}
	in, notIn := batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn
	failed := podIn("a", corev1.PodFailed, "exit=5")
	for name, tc := range map[string]struct {
		rule batchv1.PodFailurePolicyRule
		pod  *corev1.Pod
		want bool
	}{
		"in":              {exit(in, nil, 4, 5), failed, true},
		"in others":       {exit(in, nil, 4), failed, false},
		"not in":          {exit(notIn, nil, 4), failed, true},
		"not in but is":   {exit(notIn, nil, 5), failed, false},
		"other container": {exit(in, ptr.To("other"), 5), failed, false},
		"this container":  {exit(in, ptr.To("main"), 5), failed, true},
		"zero never":      {exit(notIn, nil, 4), podIn("a", corev1.PodFailed), false},
		"still running":   {exit(in, nil, 5), podIn("a", corev1.PodRunning), false},
	} {
		r := rule(&batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{tc.rule}}, tc.pod)
		require.Equal(t, tc.want, !r.counts(), name)
	}
	require.True(t, rule(nil, failed).counts())
}

func TestSuccessRules(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule batchv1.SuccessPolicyRule
		done string
		want bool
	}{
		"all of them":       {batchv1.SuccessPolicyRule{SucceededIndexes: ptr.To("0-2")}, "0-2,5", true},
		"one missing":       {batchv1.SuccessPolicyRule{SucceededIndexes: ptr.To("0-2")}, "0,2,5", false},
		"enough":            {batchv1.SuccessPolicyRule{SucceededCount: ptr.To[int32](2)}, "4,7", true},
		"too few":           {batchv1.SuccessPolicyRule{SucceededCount: ptr.To[int32](2)}, "4", false},
		"enough of these":   {batchv1.SuccessPolicyRule{SucceededIndexes: ptr.To("0-4"), SucceededCount: ptr.To[int32](2)}, "1,3", true},
		"too few of these":  {batchv1.SuccessPolicyRule{SucceededIndexes: ptr.To("0-4"), SucceededCount: ptr.To[int32](2)}, "1,7,8", false},
		"nothing succeeded": {batchv1.SuccessPolicyRule{SucceededIndexes: ptr.To("0")}, "", false},
	} {
		message, met := matchSuccess(&batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{tc.rule}}, 10, parseIndexes(tc.done, 10))
		require.Equal(t, tc.want, met, name)
		if met {
			require.Equal(t, "Matched rules at index 0", message)
		}
	}
}
