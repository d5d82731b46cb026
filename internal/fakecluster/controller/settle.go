package controller

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// maxUncounted bounds the UIDs in status.uncountedTerminatedPods.
const maxUncounted = 500

// settle writes the first half of a Job's accounting to its status: the finished pods
// to the uncounted lists, and how the Job will end to an interim condition. It returns
// the pods whose tracking finalizer may be removed once that status is stored, and
// whether the uncounted lists were truncated.
func (f *facts) settle(v verdict) (release []*corev1.Pod, cut bool) {
	status := &f.job.Status
	f.sweep(f.stillTracked(nil))
	delayed := f.awaitingReplacement()
	uncounted := status.UncountedTerminatedPods
	counted := 0
	for _, pod := range f.pods {
		if !tracked(pod) || !f.releasable(pod, v, delayed) {
			continue
		}
		release = append(release, pod)
		counted += f.account(pod, v)
		if counted+len(uncounted.Succeeded)+len(uncounted.Failed) >= maxUncounted {
			cut = true
			break
		}
	}
	if f.indexed() {
		status.Succeeded = int32(len(f.doneBefore))
		status.CompletedIndexes = f.doneBefore.String()
		if f.bad != nil {
			text := f.bad.String()
			status.FailedIndexes = &text
		}
	}
	if v.decided() && conditionTrue(status, v.interim) == nil {
		setCondition(status, v.interim, corev1.ConditionTrue, v.reason, v.message, f.now)
	}
	return release, cut
}

// releasable reports whether the pod no longer needs its finalizer.
func (f *facts) releasable(pod *corev1.Pod, v verdict, delayed map[int]*corev1.Pod) bool {
	if f.job.DeletionTimestamp != nil || v.decided() || pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	if !f.isFailed(pod) {
		return false
	}
	waiting := delayed[indexOf(pod)]
	return waiting == nil || waiting.UID != pod.UID
}

// account enters one pod into the status, once. Succeeded indexes need no UID,
// so they are reported back for the limit on entries.
func (f *facts) account(pod *corev1.Pod, v verdict) int {
	uncounted := f.job.Status.UncountedTerminatedPods
	switch {
	case slices.Contains(uncounted.Failed, pod.UID) || slices.Contains(uncounted.Succeeded, pod.UID):
	case f.indexed() && !f.validIndex(pod):
	case pod.Status.Phase == corev1.PodSucceeded:
		if f.indexed() {
			f.doneBefore.add(indexOf(pod))
			return 1
		}
		uncounted.Succeeded = append(uncounted.Succeeded, pod.UID)
	case f.isFailed(pod) || v.decided() && !v.success():
		// Once the Job has failed, a pod that still runs counts as failed.
		if rule(f.job.Spec.PodFailurePolicy, pod).counts() {
			uncounted.Failed = append(uncounted.Failed, pod.UID)
		}
	}
	return 0
}

// finish writes the second half: released pods move from the uncounted lists to
// the counters, and when no pod is left to wait for, the final condition is set.
// It reports whether the Job has finished.
func (f *facts) finish(v verdict, released []*corev1.Pod, cut bool) bool {
	status := &f.job.Status
	f.sweep(f.stillTracked(released))
	left := len(status.UncountedTerminatedPods.Succeeded) + len(status.UncountedTerminatedPods.Failed)
	if !v.decided() || cut || left > 0 || status.Terminating != nil && *status.Terminating > 0 {
		return false
	}
	setCondition(status, v.final(), corev1.ConditionTrue, v.reason, v.message, f.now)
	if v.success() {
		at := seconds(f.now)
		status.CompletionTime = &at
	}
	return true
}

// sweep moves uncounted pods that no longer carry the finalizer to the counters.
func (f *facts) sweep(withFinalizer map[types.UID]bool) {
	status := &f.job.Status
	var n int32
	status.UncountedTerminatedPods.Succeeded, n = retained(status.UncountedTerminatedPods.Succeeded, withFinalizer)
	status.Succeeded += n
	status.UncountedTerminatedPods.Failed, n = retained(status.UncountedTerminatedPods.Failed, withFinalizer)
	status.Failed += n
}

func (f *facts) stillTracked(released []*corev1.Pod) map[types.UID]bool {
	out := make(map[types.UID]bool, len(f.pods))
	for _, pod := range f.pods {
		out[pod.UID] = tracked(pod)
	}
	for _, pod := range released {
		out[pod.UID] = false
	}
	return out
}

// suspendState updates the Suspended condition according to spec.suspend. When the Job
// is resumed, the condition becomes False and the start time is set again.
func (f *facts) suspendState() (event string) {
	status := &f.job.Status
	if f.suspended() {
		if conditionTrue(status, batchv1.JobSuspended) == nil {
			setCondition(status, batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", "Job suspended", f.now)
			status.StartTime = nil
			return "Suspended"
		}
		return ""
	}
	if conditionTrue(status, batchv1.JobSuspended) == nil {
		return ""
	}
	setCondition(status, batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", "Job resumed", f.now)
	now := seconds(f.now)
	status.StartTime = &now
	return "Resumed"
}

func setCondition(status *batchv1.JobStatus, kind batchv1.JobConditionType, value corev1.ConditionStatus, reason, message string, now time.Time) {
	fresh := batchv1.JobCondition{
		Type: kind, Status: value, Reason: reason, Message: message,
		LastProbeTime: seconds(now), LastTransitionTime: seconds(now),
	}
	if c := condition(status, kind); c != nil {
		*c = fresh
		return
	}
	status.Conditions = append(status.Conditions, fresh)
}

// seconds is t as the API stores it: times there have whole seconds, which is
// why a deadline can fire up to a second early.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
