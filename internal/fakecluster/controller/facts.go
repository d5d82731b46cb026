package controller

import (
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// noIndex is the completion index of a pod that has none.
const noIndex = -1

// facts is a snapshot of a Job with all that a decision about it depends on. The
// functions over it are pure.
type facts struct {
	job     *batchv1.Job // has its own status, which settle edits
	pods    []*corev1.Pod
	now     time.Time
	backoff backoff
	base    time.Duration // first replacement delay
	limit   time.Duration // longest replacement delay

	// What gather derives.
	active      []*corev1.Pod
	ready       int32
	terminating int32
	succeeded   int32 // counted, uncounted and new
	failed      int32
	doneBefore  indexSet // indexes counted as succeeded before
	done        indexSet // and with the new ones
	bad         indexSet // failed indexes; nil without backoffLimitPerIndex
}

// gather derives the counts from the Job's status and its pods.
func (f *facts) gather() {
	slices.SortFunc(f.pods, comparePods)
	if f.job.Status.UncountedTerminatedPods == nil {
		f.job.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
	for _, pod := range f.pods {
		switch {
		case terminal(pod):
		case pod.DeletionTimestamp != nil:
			f.terminating++
		default:
			f.active = append(f.active, pod)
			if ready(pod) {
				f.ready++
			}
		}
	}
	newSucceeded, newFailed := f.newlyFinished()
	f.backoff = f.backoff.after(newSucceeded, newFailed)
	uncounted := f.job.Status.UncountedTerminatedPods
	f.succeeded = f.job.Status.Succeeded + int32(len(newSucceeded)+len(uncounted.Succeeded))
	f.failed = f.job.Status.Failed + int32(len(uncounted.Failed))
	for _, pod := range newFailed {
		if rule(f.job.Spec.PodFailurePolicy, pod).counts() {
			f.failed++
		}
	}
	if f.indexed() {
		f.gatherIndexes(newSucceeded)
	}
}

func (f *facts) gatherIndexes(newSucceeded []*corev1.Pod) {
	f.doneBefore = parseIndexes(f.job.Status.CompletedIndexes, f.completions())
	f.done = parseIndexes(f.job.Status.CompletedIndexes, f.completions())
	for _, pod := range newSucceeded {
		f.done.add(indexOf(pod))
	}
	f.succeeded = int32(len(f.done))
	if !f.perIndex() {
		return
	}
	var before string
	if f.job.Status.FailedIndexes != nil {
		before = *f.job.Status.FailedIndexes
	}
	f.bad = parseIndexes(before, f.completions())
	for _, pod := range f.pods {
		if tracked(pod) && f.validIndex(pod) && f.spoilsIndex(pod) {
			f.bad.add(indexOf(pod))
		}
	}
}

// newlyFinished returns the finished pods that are not in the status yet.
func (f *facts) newlyFinished() (succeeded, failed []*corev1.Pod) {
	uncounted := f.job.Status.UncountedTerminatedPods
	for _, pod := range f.pods {
		if !tracked(pod) || f.indexed() && !f.validIndex(pod) {
			continue
		}
		switch {
		case pod.Status.Phase == corev1.PodSucceeded:
			if !slices.Contains(uncounted.Succeeded, pod.UID) {
				succeeded = append(succeeded, pod)
			}
		case f.isFailed(pod) && !slices.Contains(uncounted.Failed, pod.UID):
			failed = append(failed, pod)
		}
	}
	return succeeded, failed
}

// isFailed reports whether the pod counts as failed: in phase Failed, or, unless
// podReplacementPolicy is Failed, deleted before it succeeded.
func (f *facts) isFailed(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodFailed {
		return true
	}
	return !f.replaceOnlyFailed() && pod.DeletionTimestamp != nil && pod.Status.Phase != corev1.PodSucceeded
}

// spoilsIndex reports whether the pod's failure was the last that its index may have.
func (f *facts) spoilsIndex(pod *corev1.Pod) bool {
	if !f.isFailed(pod) {
		return false
	}
	verdict := rule(f.job.Spec.PodFailurePolicy, pod)
	if verdict.action == batchv1.PodFailurePolicyActionFailIndex {
		return true
	}
	return verdict.counts() && annotatedCount(pod, batchv1.JobIndexFailureCountAnnotation) >= *f.job.Spec.BackoffLimitPerIndex
}

func (f *facts) indexed() bool {
	return f.job.Spec.CompletionMode != nil && *f.job.Spec.CompletionMode == batchv1.IndexedCompletion
}

func (f *facts) perIndex() bool { return f.job.Spec.BackoffLimitPerIndex != nil }

func (f *facts) suspended() bool { return f.job.Spec.Suspend != nil && *f.job.Spec.Suspend }

func (f *facts) replaceOnlyFailed() bool {
	return f.job.Spec.PodReplacementPolicy != nil && *f.job.Spec.PodReplacementPolicy == batchv1.Failed
}

func (f *facts) completions() int {
	if f.job.Spec.Completions == nil {
		return 0
	}
	return int(*f.job.Spec.Completions)
}

func (f *facts) parallelism() int32 {
	if f.job.Spec.Parallelism == nil {
		return 1
	}
	return *f.job.Spec.Parallelism
}

func (f *facts) backoffLimit() int32 {
	if f.job.Spec.BackoffLimit == nil {
		return 6
	}
	return *f.job.Spec.BackoffLimit
}

func (f *facts) validIndex(pod *corev1.Pod) bool {
	i := indexOf(pod)
	return i != noIndex && i < f.completions()
}

func comparePods(a, b *corev1.Pod) int {
	if c := indexOf(a) - indexOf(b); c != 0 {
		return c
	}
	if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
		return c
	}
	if a.Name < b.Name {
		return -1
	}
	if a.Name > b.Name {
		return 1
	}
	return 0
}

func indexOf(pod *corev1.Pod) int {
	i, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
	if err != nil || i < 0 {
		return noIndex
	}
	return i
}

func annotatedCount(pod *corev1.Pod, key string) int32 {
	n, err := strconv.ParseInt(pod.Annotations[key], 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func tracked(pod *corev1.Pod) bool {
	return slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer)
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func condition(status *batchv1.JobStatus, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range status.Conditions {
		if status.Conditions[i].Type == kind {
			return &status.Conditions[i]
		}
	}
	return nil
}

func conditionTrue(status *batchv1.JobStatus, kind batchv1.JobConditionType) *batchv1.JobCondition {
	if c := condition(status, kind); c != nil && c.Status == corev1.ConditionTrue {
		return c
	}
	return nil
}

func finished(job *batchv1.Job) bool {
	return conditionTrue(&job.Status, batchv1.JobComplete) != nil || conditionTrue(&job.Status, batchv1.JobFailed) != nil
}

// retained drops the UIDs that are not in keep and returns how many it dropped.
func retained(uids []types.UID, keep map[types.UID]bool) ([]types.UID, int32) {
	var left []types.UID
	for _, uid := range uids {
		if keep[uid] {
			left = append(left, uid)
		}
	}
	return left, int32(len(uids) - len(left))
}
