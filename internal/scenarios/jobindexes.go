package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// jobIndexes returns scenarios about the indexes of an Indexed Job.
func jobIndexes() []*Scenario {
	indexed := func(shell string, completions, parallelism int32, change func(s *batchv1.JobSpec)) *kontinue.JobOptions {
		return jobOf(shell, func(s *batchv1.JobSpec) {
			s.CompletionMode = new(batchv1.IndexedCompletion)
			s.Completions, s.Parallelism = &completions, &parallelism
			change(s)
		})
	}
	perIndex := func(limit int32) func(s *batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) { s.BackoffLimit, s.BackoffLimitPerIndex = nil, &limit }
	}
	const evens = `[ $((JOB_COMPLETION_INDEX % 2)) = 0 ]`
	playEvens := play(containers.Script{Do: func(_ context.Context, spec containers.Spec) containers.Exit {
		odd := func(e containers.EnvVar) bool {
			return e.Name == "JOB_COMPLETION_INDEX" && (e.Value == "1" || e.Value == "3")
		}
		if slices.ContainsFunc(spec.Env, odd) {
			return containers.Exit{Code: 1}
		}
		return containers.Exit{}
	}})
	exitOne := &WantExit{Container: "main", Code: 1, Reason: "Error"}
	ruled := func(rule batchv1.SuccessPolicyRule) func(s *batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) {
			s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{rule}}
		}
	}
	done := func(n int) Want {
		return Want{Succeeded: true, Complete: true, SucceededPods: int32(n), Pods: pods(n, succeeded)}
	}
	return []*Scenario{
		{
			Name: "indexed-names", Shows: "the pods of an Indexed Job have their index as a label, an annotation, in the hostname and in the environment",
			Job:  indexed(`[ "$JOB_COMPLETION_INDEX" -ge 0 ]`, 4, 2, func(*batchv1.JobSpec) {}),
			Want: done(4), After: indexNames,
		},
		{
			Name: "success-policy-all", Shows: "the successPolicy wants as many indexes as there are", Needs: []Capability{SuccessPolicy},
			Job:  indexed("true", 2, 2, ruled(batchv1.SuccessPolicyRule{SucceededCount: new(int32(2))})),
			Play: play(containers.Script{}), Want: done(2), After: indexes("0,1", nil),
		},
		{
			Name: "success-policy-index", Shows: "index 0 satisfies the successPolicy before the others have started", Needs: []Capability{SuccessPolicy},
			Job:  indexed("true", 3, 1, ruled(batchv1.SuccessPolicyRule{SucceededIndexes: new("0")})),
			Play: play(containers.Script{}), Want: done(1), After: indexes("0", nil),
		},
		{
			Name: "success-policy-count", Shows: "one index satisfies the successPolicy before the others have started", Needs: []Capability{SuccessPolicy},
			Job:  indexed("true", 3, 1, ruled(batchv1.SuccessPolicyRule{SucceededCount: new(int32(1))})),
			Play: play(containers.Script{}), Want: done(1), After: indexes("0", nil),
		},
		{
			Name: "backoff-per-index", Shows: "the odd ones of four indexes fail twice, with backoffLimitPerIndex 1",
			Job: indexed(evens, 4, 4, perIndex(1)), Play: playEvens,
			Want: Want{
				SucceededPods: 2, FailedPods: 4, Pods: append(pods(4, failed), pods(2, succeeded)...),
				Message: []string{"FailedIndexes", "exit code 1"}, Exit: exitOne,
			},
			After: func(ctx context.Context, r *Run) error {
				return firstError(indexes("0,2", new("1,3"))(ctx, r), failureCounts(r))
			},
		},
		{
			Name: "max-failed-indexes", Shows: "the first index that fails is one more than maxFailedIndexes, and the others do not start",
			Job: indexed("exit 1", 4, 1, func(s *batchv1.JobSpec) {
				perIndex(0)(s)
				s.MaxFailedIndexes = new(int32(0))
			}), Play: play(containers.Script{Exit: containers.Exit{Code: 1}}),
			Want:  Want{FailedPods: 1, Pods: pods(1, failed), Message: []string{"MaxFailedIndexesExceeded", "exit code 1"}, Exit: exitOne},
			After: indexes("", new("0")),
		},
		{
			Name: "policy-fails-index", Shows: "the podFailurePolicy fails an index at once, with backoffLimitPerIndex 1",
			Job: indexed(evens, 2, 2, func(s *batchv1.JobSpec) {
				perIndex(1)(s)
				s.PodFailurePolicy = onExit(batchv1.PodFailurePolicyActionFailIndex, 1)
			}), Play: playEvens,
			Want: Want{
				SucceededPods: 1, FailedPods: 1, Pods: []WantPod{failed, succeeded},
				Message: []string{"FailedIndexes", "exit code 1"}, Exit: exitOne,
			},
			After: indexes("0", new("1")),
		},
	}
}

// onExit is a podFailurePolicy with one rule for an exit code.
func onExit(action batchv1.PodFailurePolicyAction, code int32) *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action:      action,
		OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{code}},
	}}}
}

// indexes requires that the Job's status has these completed and failed indexes, and no
// pod that is active, ready or terminating.
func indexes(completed string, failed *string) func(ctx context.Context, r *Run) error {
	return func(ctx context.Context, r *Run) error {
		job, err := r.job(ctx)
		if err != nil {
			return err
		}
		s := job.Status
		if s.CompletedIndexes != completed || !ptr.Equal(s.FailedIndexes, failed) ||
			s.Active != 0 || !ptr.Equal(s.Ready, new(int32)) || !ptr.Equal(s.Terminating, new(int32)) {
			return fmt.Errorf("the status is %+v, want the completed indexes %q, the failed indexes %s and no pod that is active, ready or terminating",
				s, completed, ptr.Deref(failed, "none"))
		}
		return nil
	}
}

// indexNames checks how the index of each pod is written to it.
func indexNames(ctx context.Context, r *Run) error {
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	var have []string
	for _, p := range r.result().pods {
		pod := p.Pod
		index := pod.Labels[batchv1.JobCompletionIndexAnnotation]
		have = append(have, index)
		named := strings.HasPrefix(pod.Name, job.Name[:min(len(job.Name), 40)]) && strings.Contains(pod.Name, "-"+index+"-")
		env := slices.ContainsFunc(pod.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == "JOB_COMPLETION_INDEX" })
		if pod.Annotations[batchv1.JobCompletionIndexAnnotation] != index || pod.Spec.Hostname != job.Name+"-"+index || !named || !env {
			return fmt.Errorf("pod %s with the label %q has the annotations %v, the hostname %s and the variables %v",
				pod.Name, index, pod.Annotations, pod.Spec.Hostname, pod.Spec.Containers[0].Env)
		}
	}
	slices.Sort(have)
	return errors.Join(equalLists("the indexes", have, []string{"0", "1", "2", "3"}), indexes("0-3", nil)(ctx, r))
}

// failureCounts requires that each pod of an odd index says how often the index failed
// before.
func failureCounts(r *Run) error {
	var have []string
	for _, p := range byCreation(r.result().pods) {
		if index := p.Labels[batchv1.JobCompletionIndexAnnotation]; index == "1" || index == "3" {
			have = append(have, index+":"+p.Annotations[batchv1.JobIndexFailureCountAnnotation])
		}
	}
	slices.Sort(have)
	return equalLists("the failures before", have, []string{"1:0", "1:1", "3:0", "3:1"})
}
