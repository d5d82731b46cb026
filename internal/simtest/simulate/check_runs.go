package simulate

import (
	"encoding/json"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue"
)

// reporter reports a violation, about a run or nil.
type reporter = func(about *run, format string, args ...any)

// checkOverlap is I1.
func checkOverlap(f *facts, report reporter) {
	for i, a := range f.runs {
		for _, b := range f.runs[i+1:] {
			if a.execution < 0 || a.execution != b.execution || a.step != b.step {
				continue
			}
			for _, p := range a.pods {
				for _, q := range b.pods {
					if p.started < q.stopped && q.started < p.stopped && !f.orphaned(a, q) {
						report(b, "pods %s and %s of %s/%s run at the same time, from %s", p.name, q.name,
							f.Plan.Executions[a.execution].Name, a.step, f.at(q.startedAt))
						return
					}
				}
			}
		}
	}
}

// orphaned reports whether the run was deleted in the background, by others or with its owner, before the
// pod started: its own pods are deleted later, and nothing shows that there are any.
func (f *facts) orphaned(r *run, next *podRun) bool {
	by := r.deletedBy()
	return by != nil && (by.User == others || f.executions[r.execution].gone) && r.gone < next.started
}

// recordOf is what the driver reads of a record.
type recordOf struct {
	Version       int   `json:"v"`
	Attempt       int   `json:"attempt"`
	Failed        bool  `json:"failed"`
	SucceededPods int32 `json:"succeededPods"`
	FailedPods    int32 `json:"failedPods"`
}

func readRecord(job *batchv1.Job) (r recordOf, ok bool) {
	text := job.Annotations[outcome]
	return r, text != "" && json.Unmarshal([]byte(text), &r) == nil && r.Version > 0
}

// checkCreates is I2: it looks at what existed when each run was created.
func checkCreates(f *facts, report reporter) {
	for _, r := range f.runs {
		if r.execution < 0 {
			continue
		}
		policy := f.Plan.Executions[r.execution].Policy
		var newest *run
		for _, earlier := range f.of(r.execution, r.step) {
			job := earlier.at(r.begin)
			if earlier == r || job == nil {
				continue
			}
			record, recorded := readRecord(job)
			_, over := terminal(job)
			switch {
			case !over && !held(job):
				report(r, "run %d was created while run %d had not ended", r.number, earlier.number)
			case job.DeletionTimestamp != nil:
				report(r, "run %d was created while run %d was being deleted", r.number, earlier.number)
			case recorded && record.Attempt >= r.attempt && !f.stripped(earlier):
				report(r, "run %d of attempt %d was created after run %d was recorded in attempt %d", r.number, r.attempt, earlier.number, record.Attempt)
			case policy == kontinue.ChildPolicyNone:
				report(r, "run %d was created under policy None beside run %d", r.number, earlier.number)
			}
			if newest == nil || earlier.number > newest.number {
				newest = earlier
			}
		}
		if newest == nil || policy != kontinue.ChildPolicyRetryFailed {
			continue
		}
		job := newest.at(r.begin)
		if record, recorded := readRecord(job); recorded && !record.Failed && !f.stripped(newest) {
			report(r, "run %d was created under policy RetryFailed after run %d had succeeded", r.number, newest.number)
		}
	}
}

// held reports whether a canceled Job is suspended again, with no pod left.
func held(job *batchv1.Job) bool {
	return job.Annotations[canceledMark] == "true" && job.Spec.Suspend != nil && *job.Spec.Suspend && job.Status.Active == 0
}

// stripped reports whether others have removed metadata of the run.
func (f *facts) stripped(r *run) bool {
	for _, w := range r.writes {
		if w.User == others && w.Verb == "patch" {
			return true
		}
	}
	return false
}
