package registry

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// validateJobStatus holds every writer, the Job controller too, to the transitions
// that clients rely on (KEP-4368): terminal conditions come after SuccessCriteriaMet or
// FailureTarget, when no pod is left, and never revert. A rule is enforced when a
// field it is about changes.
func validateJobStatus(job, cur *batchv1.Job) field.ErrorList {
	at := field.NewPath("status")
	var errs field.ErrorList
	invalid := func(name string, value any, detail string) {
		errs = append(errs, field.Invalid(at.Child(name), value, detail))
	}
	condition := func(detail string) { invalid("conditions", field.OmitValueType{}, detail) }
	st, old := &job.Status, &cur.Status

	errs = append(errs, validateCounters(st, at)...)

	complete, failed := jobHas(job, batchv1.JobComplete), jobHas(job, batchv1.JobFailed)
	met, target := jobHas(job, batchv1.JobSuccessCriteriaMet), jobHas(job, batchv1.JobFailureTarget)
	wasComplete, wasFailed := jobHas(cur, batchv1.JobComplete), jobHas(cur, batchv1.JobFailed)
	finished := complete || failed
	finishes := finished != (wasComplete || wasFailed)

	for _, t := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
		if jobHas(cur, t) && !jobHas(job, t) {
			condition(fmt.Sprintf("cannot disable the terminal %s=True condition", t))
		}
	}
	if jobHas(cur, batchv1.JobSuccessCriteriaMet) && !met {
		condition("cannot disable the SuccessCriteriaMet=True condition")
	}
	if complete && failed && (!wasComplete || !wasFailed) {
		condition("cannot set Complete=True and Failed=true conditions")
	}
	if complete && target && (!wasComplete || !jobHas(cur, batchv1.JobFailureTarget)) {
		condition("cannot set Complete=True and FailureTarget=true conditions")
	}
	if met && failed {
		condition("cannot set SuccessCriteriaMet=True and Failed=true conditions")
	}
	if met && target {
		condition("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
	}
	if failed && !wasFailed && !target {
		condition("cannot set Failed=True condition without the FailureTarget=true condition")
	}
	if complete && !wasComplete && !met {
		condition("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
	}

	if finished && st.Active > 0 && (finishes || st.Active != old.Active) {
		invalid("active", st.Active, "active>0 is invalid for finished job")
	}
	if n := ptr.Deref(st.Terminating, 0); finished && n > 0 && (finishes || !ptr.Equal(st.Terminating, old.Terminating)) {
		invalid("terminating", n, "terminating>0 is invalid for finished job")
	}
	emptySuspended := ptr.Deref(job.Spec.Suspend, false) && ptr.Equal(job.Spec.Completions, ptr.To[int32](0))
	if finished && st.StartTime == nil && (finishes || old.StartTime != nil) && !emptySuspended {
		errs = append(errs, field.Required(at.Child("startTime"), "startTime is required for finished job"))
	}
	if u := st.UncountedTerminatedPods; finished && u != nil && len(u.Failed)+len(u.Succeeded) > 0 &&
		(finishes || !apiequality.Semantic.DeepEqual(u, old.UncountedTerminatedPods)) {
		invalid("uncountedTerminatedPods", u, "must be empty for finished job")
	}
	if ready := ptr.Deref(st.Ready, 0); ready > st.Active && (!ptr.Equal(st.Ready, old.Ready) || st.Active != old.Active) {
		invalid("ready", ready, "cannot set more ready pods than active")
	}
	return append(errs, validateProgress(job, cur, complete, at)...)
}

func validateCounters(st *batchv1.JobStatus, at *field.Path) field.ErrorList {
	errs := apivalidation.ValidateNonnegativeField(int64(st.Active), at.Child("active"))
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(st.Succeeded), at.Child("succeeded"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(st.Failed), at.Child("failed"))...)
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(ptr.Deref(st.Ready, 0)), at.Child("ready"))...)
	return append(errs, apivalidation.ValidateNonnegativeField(int64(ptr.Deref(st.Terminating, 0)), at.Child("terminating"))...)
}

// validateProgress: counters only grow, times are set once.
func validateProgress(job, cur *batchv1.Job, complete bool, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	invalid := func(name string, value any, detail string) {
		errs = append(errs, field.Invalid(at.Child(name), value, detail))
	}
	st, old := &job.Status, &cur.Status
	if st.Failed < old.Failed {
		invalid("failed", st.Failed, "cannot decrease the failed counter")
	}
	elastic := *job.Spec.CompletionMode == batchv1.IndexedCompletion && ptr.Equal(job.Spec.Completions, job.Spec.Parallelism)
	if st.Succeeded < old.Succeeded && !elastic {
		invalid("succeeded", st.Succeeded, "cannot decrease the succeeded counter")
	}
	resuming := jobHas(cur, batchv1.JobSuspended) && !jobHas(job, batchv1.JobSuspended)
	if old.StartTime != nil && !sameTime(st.StartTime, old.StartTime) && !ptr.Deref(job.Spec.Suspend, false) && !resuming {
		invalid("startTime", st.StartTime, "field is immutable for unsuspended job once set")
	}
	switch done, was := st.CompletionTime, old.CompletionTime; {
	case done == nil && complete:
		errs = append(errs, field.Required(at.Child("completionTime"), "completionTime is required for Complete jobs"))
	case done != nil && !complete:
		invalid("completionTime", done, "cannot set completionTime when there is no Complete=True condition")
	case done != nil && was != nil && !sameTime(done, was):
		invalid("completionTime", done, "field is immutable")
	case done != nil && st.StartTime != nil && done.Unix() < st.StartTime.Unix():
		invalid("completionTime", done, "must be equal to or after `startTime`")
	}
	indexed := *job.Spec.CompletionMode == batchv1.IndexedCompletion
	changed := st.CompletedIndexes != "" && st.CompletedIndexes != old.CompletedIndexes
	if n := job.Spec.Completions; changed && n != nil {
		if _, err := countIndexes(st.CompletedIndexes, *n); err != nil {
			invalid("completedIndexes", st.CompletedIndexes, "error parsing completedIndexes: "+err.Error())
		}
	}
	if n, failed := job.Spec.Completions, st.FailedIndexes; n != nil && job.Spec.BackoffLimitPerIndex != nil &&
		ptr.Deref(failed, "") != "" && !ptr.Equal(failed, old.FailedIndexes) {
		if _, err := countIndexes(*failed, *n); err != nil {
			invalid("failedIndexes", *failed, "error parsing failedIndexes: "+err.Error())
		}
	}
	if st.CompletedIndexes != "" && !indexed && st.CompletedIndexes != old.CompletedIndexes {
		invalid("completedIndexes", st.CompletedIndexes, "cannot set non-empty completedIndexes when non-indexed completion mode")
	}
	if st.FailedIndexes != nil && job.Spec.BackoffLimitPerIndex == nil && !ptr.Equal(st.FailedIndexes, old.FailedIndexes) {
		invalid("failedIndexes", *st.FailedIndexes, "cannot set non-null failedIndexes when backoffLimitPerIndex is null")
	}
	return errs
}

// sameTime compares times as the wire format carries them.
func sameTime(a, b *metav1.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Unix() == b.Unix()
}
