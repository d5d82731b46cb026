package pods

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Judge returns o with its Ignored: whether the Job's podFailurePolicy, which may be nil,
// ignores the failure of p, the pod of o. The first rule that matches decides (KEP-3329).
func (o Outcome) Judge(policy *batchv1.PodFailurePolicy, p *corev1.Pod) Outcome {
	o.Ignored = policy != nil && p.Status.Phase != corev1.PodSucceeded && ignores(policy, p)
	return o
}

func ignores(policy *batchv1.PodFailurePolicy, p *corev1.Pod) bool {
	i := slices.IndexFunc(policy.Rules, func(r batchv1.PodFailurePolicyRule) bool {
		if r.OnExitCodes != nil {
			return matchesExitCode(r.OnExitCodes, p.Status.ContainerStatuses) || matchesExitCode(r.OnExitCodes, p.Status.InitContainerStatuses)
		}
		return matchesCondition(r.OnPodConditions, p.Status.Conditions)
	})
	return i >= 0 && policy.Rules[i].Action == batchv1.PodFailurePolicyActionIgnore
}

func matchesExitCode(r *batchv1.PodFailurePolicyOnExitCodesRequirement, statuses []corev1.ContainerStatus) bool {
	return slices.ContainsFunc(statuses, func(s corev1.ContainerStatus) bool {
		end := s.State.Terminated
		if end == nil || end.ExitCode == 0 || r.ContainerName != nil && *r.ContainerName != s.Name {
			return false
		}
		in := slices.Contains(r.Values, end.ExitCode)
		return r.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn && in ||
			r.Operator == batchv1.PodFailurePolicyOnExitCodesOpNotIn && !in
	})
}

func matchesCondition(patterns []batchv1.PodFailurePolicyOnPodConditionsPattern, conditions []corev1.PodCondition) bool {
	return slices.ContainsFunc(conditions, func(c corev1.PodCondition) bool {
		return slices.ContainsFunc(patterns, func(p batchv1.PodFailurePolicyOnPodConditionsPattern) bool {
			return c.Type == p.Type && c.Status == p.Status
		})
	})
}
