package controller

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// ruling is what a Job's podFailurePolicy says about one failed pod.
type ruling struct {
	action  batchv1.PodFailurePolicyAction // empty when no rule matches
	message string                         // set for FailJob
}

// counts reports whether the failure counts towards the back-off limit.
func (r ruling) counts() bool { return r.action != batchv1.PodFailurePolicyActionIgnore }

// rule applies the first rule of the policy that matches the pod (KEP-3329).
func rule(policy *batchv1.PodFailurePolicy, pod *corev1.Pod) ruling {
	if policy == nil {
		return ruling{}
	}
	for i, r := range policy.Rules {
		var what string
		switch {
		case r.OnExitCodes != nil:
			name, code, ok := matchExitCode(pod, r.OnExitCodes)
			if !ok {
				continue
			}
			what = fmt.Sprintf("Container %s for pod %s/%s failed with exit code %d", name, pod.Namespace, pod.Name, code)
		default:
			condition, ok := matchCondition(pod, r.OnPodConditions)
			if !ok {
				continue
			}
			what = fmt.Sprintf("Pod %s/%s has condition %s", pod.Namespace, pod.Name, condition)
		}
		return ruling{action: r.Action, message: fmt.Sprintf("%s matching %s rule at index %d", what, r.Action, i)}
	}
	return ruling{}
}

func matchExitCode(pod *corev1.Pod, want *batchv1.PodFailurePolicyOnExitCodesRequirement) (string, int32, bool) {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for _, c := range list {
			end := c.State.Terminated
			if end == nil || end.ExitCode == 0 || want.ContainerName != nil && *want.ContainerName != c.Name {
				continue
			}
			in := slices.Contains(want.Values, end.ExitCode)
			if in == (want.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn) {
				return c.Name, end.ExitCode, true
			}
		}
	}
	return "", 0, false
}

func matchCondition(pod *corev1.Pod, patterns []batchv1.PodFailurePolicyOnPodConditionsPattern) (corev1.PodConditionType, bool) {
	for _, c := range pod.Status.Conditions {
		for _, p := range patterns {
			if c.Type == p.Type && c.Status == p.Status {
				return c.Type, true
			}
		}
	}
	return "", false
}

// matchSuccess reports whether a rule of the successPolicy is met (KEP-3998), and
// the message the condition then carries.
func matchSuccess(policy *batchv1.SuccessPolicy, completions int, succeeded indexSet) (string, bool) {
	if policy == nil || len(succeeded) == 0 {
		return "", false
	}
	for i, r := range policy.Rules {
		have, want := len(succeeded), completions
		if r.SucceededIndexes != nil {
			needed := parseIndexes(*r.SucceededIndexes, completions)
			have, want = 0, len(needed)
			for index := range needed {
				if succeeded.has(index) {
					have++
				}
			}
		}
		if r.SucceededCount != nil {
			want = min(want, int(*r.SucceededCount))
		}
		if want > 0 && have >= want {
			return fmt.Sprintf("Matched rules at index %d", i), true
		}
	}
	return "", false
}
