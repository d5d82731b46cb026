package controller

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// verdict is how a Job ends, once that is decided. The zero value means undecided.
type verdict struct {
	interim batchv1.JobConditionType // SuccessCriteriaMet or FailureTarget
	reason  string
	message string
}

// undecided is the verdict on a Job that is still running.
var undecided verdict

func (v verdict) decided() bool { return v.interim != "" }

func (v verdict) success() bool { return v.interim == batchv1.JobSuccessCriteriaMet }

// final is the condition that follows once the pods are accounted for.
func (v verdict) final() batchv1.JobConditionType {
	if v.success() {
		return batchv1.JobComplete
	}
	return batchv1.JobFailed
}

// judge decides whether the Job has ended. It checks in the Job controller's order: an
// earlier decision, the pod failure policy, the backoff limit, the deadline, failed
// indexes, and the success policy. The number of completions is checked elsewhere,
// since it also requires that no pod is active.
func (f *facts) judge() verdict {
	status := &f.job.Status
	for _, kind := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobFailureTarget} {
		if c := conditionTrue(status, kind); c != nil {
			return verdict{kind, c.Reason, c.Message}
		}
	}
	for _, pod := range f.pods {
		if !f.isFailed(pod) {
			continue
		}
		if r := rule(f.job.Spec.PodFailurePolicy, pod); r.action == batchv1.PodFailurePolicyActionFailJob {
			return failure(batchv1.JobReasonPodFailurePolicy, r.message)
		}
	}
	if f.failed > f.backoffLimit() || f.restartedTooOften() {
		return failure(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
	}
	if left, set := f.deadline(); set && left <= 0 {
		return failure(batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
	}
	if !f.indexed() {
		return undecided
	}
	if f.perIndex() && len(f.bad) > 0 {
		if most := f.job.Spec.MaxFailedIndexes; most != nil && len(f.bad) > int(*most) {
			return failure(batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes")
		}
		if len(f.bad)+len(f.done) >= f.completions() {
			return failure(batchv1.JobReasonFailedIndexes, "Job has failed indexes")
		}
	}
	if message, met := matchSuccess(f.job.Spec.SuccessPolicy, f.completions(), f.done); met {
		return verdict{batchv1.JobSuccessCriteriaMet, batchv1.JobReasonSuccessPolicy, message}
	}
	return undecided
}

// completed reports whether enough pods have succeeded while active ones are running.
func (f *facts) completed(active int32) verdict {
	reached := f.succeeded > 0
	if f.job.Spec.Completions != nil {
		reached = f.succeeded >= *f.job.Spec.Completions
	}
	if !reached || active > 0 {
		return undecided
	}
	return verdict{batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods"}
}

// deadline returns how long the Job may still be active, if that is limited.
func (f *facts) deadline() (time.Duration, bool) {
	if f.job.Spec.ActiveDeadlineSeconds == nil || f.suspended() {
		return 0, false
	}
	allowed := time.Duration(*f.job.Spec.ActiveDeadlineSeconds) * time.Second
	if f.job.Status.StartTime == nil {
		return allowed, true
	}
	return allowed - f.now.Sub(f.job.Status.StartTime.Time), true
}

// restartedTooOften applies the back-off limit to container restarts, which is
// how failures show with restartPolicy OnFailure.
func (f *facts) restartedTooOften() bool {
	if f.job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		return false
	}
	var restarts int32
	for _, pod := range f.pods {
		if terminal(pod) {
			continue
		}
		for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
			for _, c := range list {
				restarts += c.RestartCount
			}
		}
	}
	return restarts > 0 && restarts >= f.backoffLimit()
}

func failure(reason, message string) verdict {
	return verdict{batchv1.JobFailureTarget, reason, message}
}
