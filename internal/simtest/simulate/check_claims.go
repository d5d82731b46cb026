package simulate

import (
	"errors"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
)

// checkFinal is the part of I4 that is seen in the end: after the faults a call has a
// result, or an error that remains true.
func checkFinal(f *facts, report reporter) {
	for _, c := range f.calls {
		if !c.Final || c.Err == nil || c.Verb == "Logs" || !c.Returned || c.Dead {
			continue
		}
		switch {
		case errors.Is(c.Err, kontinue.ErrNameConflict), errors.Is(c.Err, kontinue.ErrPodLost), f.neverRan(f.newest(c)):
		default:
			report(f.newest(c), "%s of %s by the last worker: %v", c.Verb, f.stepOf(c), c.Err)
		}
	}
}

func (f *facts) newest(c *Call) (newest *run) {
	for _, r := range f.of(c.Execution, c.Step) {
		newest = r
	}
	return newest
}

// neverRan reports whether a Job failed and counted no pod, as one that was canceled while a
// queue held it: nothing has an exit code.
func (f *facts) neverRan(r *run) bool {
	if r == nil {
		return false
	}
	job := r.last()
	condition, over := terminal(job)
	return over && condition.Type == batchv1.JobFailed && job.Status.Failed+job.Status.Succeeded == 0
}

// claims are the errors that say something about the cluster, and when that is true.
var claims = []struct {
	err   error
	holds func(*facts, *Call) bool
}{
	{kontinue.ErrJobDeleted, (*facts).wasDeleted},
	{kontinue.ErrNameConflict, (*facts).wasTaken},
	{kontinue.ErrPodLost, (*facts).wasLost},
	{kontinue.ErrDeadlineExceeded, (*facts).wasLate},
	{kontinue.ErrCanceled, (*facts).wasCanceled},
	{kontinue.ErrSpecDrift, never}, // the steps of a plan do not change
	{kontinue.ErrInvalid, never},
}

func never(*facts, *Call) bool { return false }

// checkClaims is I5.
func checkClaims(f *facts, report reporter) {
	for _, c := range f.calls {
		if c.Err == nil || c.Step == "" {
			continue
		}
		for _, claim := range claims {
			if errors.Is(c.Err, claim.err) && !claim.holds(f, c) {
				report(f.newest(c), "%s of %s by %s in attempt %d returned at %s, and it is not true: %v", c.Verb, f.stepOf(c), c.Worker, c.Attempt, f.at(c.End), c.Err)
			}
		}
	}
}

// wasDeleted: the run that the error names or that the result is of was deleted or, if there
// is none, a run of the step in the course of the call.
func (f *facts) wasDeleted(c *Call) bool {
	for _, r := range f.of(c.Execution, c.Step) {
		named := c.Err != nil && strings.Contains(c.Err.Error(), string(r.uid)) || c.Result != nil && f.hasPod(r, c.Result)
		if by := r.deletedBy(); by != nil && by.RV <= c.EndRV && (named || r.gone >= c.BeginRV) {
			return true
		}
	}
	return false
}

// hasPod reports whether the first pod of a result is one of the run.
func (f *facts) hasPod(r *run, result *Result) bool {
	if len(result.Pods) == 0 {
		return false
	}
	p := f.pods[types.UID(result.Pods[0].UID)]
	return p != nil && p.job == r.uid
}

// wasTaken: an object of others had the name of a run, or a run lost the label of its
// worker group.
func (f *facts) wasTaken(c *Call) bool {
	for _, r := range f.of(c.Execution, c.Step) {
		if job := r.at(c.EndRV); job != nil && job.Labels[groupLabel] == "" {
			return true
		}
	}
	for _, r := range f.runs {
		if r.execution >= 0 || r.begin > c.EndRV || r.gone < c.BeginRV {
			continue
		}
		for _, own := range f.of(c.Execution, c.Step) {
			if own.name == r.name {
				return true
			}
		}
	}
	return false
}

// wasLost: a run failed and its pod was deleted.
func (f *facts) wasLost(c *Call) bool {
	for _, r := range f.of(c.Execution, c.Step) {
		condition, over := terminal(r.last())
		if !over || condition.Type != batchv1.JobFailed {
			continue
		}
		for _, p := range r.pods {
			if last := p.writes[len(p.writes)-1]; last.Type == watch.Deleted && last.RV <= c.EndRV {
				return true
			}
		}
	}
	return false
}

// wasLate: at the end of the call a run had failed by its deadline, or still ran long after
// it.
func (f *facts) wasLate(c *Call) bool {
	for _, r := range f.of(c.Execution, c.Step) {
		job := r.at(c.EndRV)
		if job == nil || job.Status.StartTime == nil || job.Spec.ActiveDeadlineSeconds == nil {
			continue
		}
		if condition, over := terminal(job); over {
			if condition.Reason == batchv1.JobReasonDeadlineExceeded {
				return true
			}
			continue
		}
		patience := *job.Spec.ActiveDeadlineSeconds
		if grace := job.Spec.Template.Spec.TerminationGracePeriodSeconds; grace != nil {
			patience += *grace
		}
		if c.End.Unix()-job.Status.StartTime.Unix() >= patience {
			return true
		}
	}
	return false
}

// wasCanceled: a run had been canceled.
func (f *facts) wasCanceled(c *Call) bool {
	for _, r := range f.of(c.Execution, c.Step) {
		w := r.first(func(job *batchv1.Job) bool { return job.Annotations[canceledMark] == "true" })
		if w != nil && w.RV <= c.EndRV {
			return true
		}
	}
	return false
}
