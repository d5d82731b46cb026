package scenarios

import (
	batchv1 "k8s.io/api/batch/v1"
)

// jobPolicies returns scenarios with a podFailurePolicy or successPolicy.
func jobPolicies() []*Scenario {
	return []*Scenario{
		{
			Name: "pod-failure-policy", Shows: "exit code 42 fails the Job at once according to its podFailurePolicy",
			Job: jobOf("exit 42", func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(5))
				s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
					Action:      batchv1.PodFailurePolicyActionFailJob,
					OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{42}},
				}}}
			}),
			Want: Want{
				FailedPods: 1, Pods: pods(1, failed), Message: []string{"PodFailurePolicy", "exit code 42"},
				Exit: &WantExit{Container: "main", Code: 42, Reason: "Error"},
			},
		},
		{
			Name: "success-policy", Shows: "index 0 satisfies the successPolicy, and the other pod is stopped", Needs: []Capability{SuccessPolicy},
			// Index 0 gives the other container the time to start.
			Job: jobOf(`if [ "$JOB_COMPLETION_INDEX" = 0 ]; then sleep 2; else `+hang+`; fi`, func(s *batchv1.JobSpec) {
				s.CompletionMode = new(batchv1.IndexedCompletion)
				s.Completions, s.Parallelism = new(int32(2)), new(int32(2))
				s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: new("0")}}}
			}),
			// The Job does not count the pod that it stopped itself.
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: []WantPod{failed, succeeded}},
		},
	}
}
