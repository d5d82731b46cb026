package simulate

import (
	"encoding/json"
	"slices"
	"time"

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
					if p.started < q.stopped && q.started < p.stopped && !f.orphaned(a, p, q) {
						report(b, "pods %s and %s of %s/%s run at the same time, from %s", p.name, q.name,
							f.Plan.Executions[a.execution].Name, a.step, f.at(q.startedAt))
						return
					}
				}
			}
		}
	}
}

// orphaned reports whether the run was gone before the next one's pod started, and its own
// pod was not: it was deleted in the background, by others or with its owner, or the Job
// controller created the pod while a worker deleted the Job in the foreground. Nothing then
// shows that there is a pod.
func (f *facts) orphaned(r *run, own, next *podRun) bool {
	by := r.deletedBy()
	if by == nil || r.gone >= next.started {
		return false
	}
	return by.User == others || f.executions[r.execution].gone || own.created > by.RV
}

// recordOf is what the driver reads of a record.
type recordOf struct {
	Version       int   `json:"v"`
	Attempt       int   `json:"attempt"`
	Failed        bool  `json:"failed"`
	SucceededPods int32 `json:"succeededPods"`
	FailedPods    int32 `json:"failedPods"`
	Early         bool  `json:"early"`
	Canceled      bool  `json:"canceled"`
	Ended, Seen   time.Time
}

func readRecord(job *batchv1.Job) (r recordOf, ok bool) {
	text := job.Annotations[outcome]
	return r, text != "" && json.Unmarshal([]byte(text), &r) == nil && r.Version > 0
}

// checkCreates is I2: it looks at what existed when each run was created.
func checkCreates(f *facts, report reporter) {
	checkAgain(f, report)
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
			case recorded && f.followed(r, record):
			case recorded && record.Attempt >= r.attempt && !f.stripped(earlier):
				report(r, "run %d of attempt %d was created after run %d was recorded in attempt %d", r.number, r.attempt, earlier.number, record.Attempt)
			case policy == kontinue.ChildPolicyNone && !f.stepPlan(r).runsAgain():
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

// stepPlan returns the plan of the run's step.
func (f *facts) stepPlan(r *run) *Step {
	steps := f.Plan.Executions[r.execution].Steps
	return &steps[slices.IndexFunc(steps, func(s Step) bool { return s.Name == r.step })]
}

// followed reports whether a run may follow an earlier one with that record in its attempt: it has
// failed, and its back-off is over. checkAgain counts the runs.
func (f *facts) followed(r *run, record recordOf) bool {
	s := f.stepPlan(r)
	if !s.runsAgain() || record.Canceled || s.Kind == Job && !record.Failed {
		return false
	}
	backoff, ended := s.Again.Backoff, record.Ended
	if backoff == 0 {
		backoff = 10 * time.Second
	}
	if (record.Early || ended.IsZero()) && !record.Seen.IsZero() {
		ended = record.Seen
	}
	return !r.beginAt.Before(ended.Add(backoff))
}

// canceledBefore is how long before the create of a run the one before it may have been
// canceled: the create was under way.
const canceledBefore = 3 * time.Minute

// checkAgain is the part of I2 about runs in the same attempt: there are no more than the
// limits allow, and none after a cancellation.
func checkAgain(f *facts, report reporter) {
	for _, r := range f.runs {
		if r.execution < 0 {
			continue
		}
		s := f.stepPlan(r)
		same := 0
		for _, earlier := range f.of(r.execution, r.step) {
			job := earlier.at(r.begin)
			if earlier == r || job == nil {
				continue
			}
			if record, ok := readRecord(job); ok && record.Attempt == r.attempt && earlier.attempt == r.attempt {
				same++
			}
			mark := earlier.first(func(job *batchv1.Job) bool { return job.Annotations[canceledMark] != "" })
			if mark != nil && earlier.number == r.number-1 && earlier.attempt == r.attempt && r.beginAt.Sub(mark.Time) > canceledBefore && !f.stripped(earlier) {
				report(r, "run %d was created %s after run %d was canceled in the same attempt", r.number, r.beginAt.Sub(mark.Time), earlier.number)
			}
		}
		if limit := s.Again.Limit + s.Again.Infrastructure; same > limit {
			report(r, "run %d is number %d of attempt %d, and %d may follow the first", r.number, same+1, r.attempt, limit)
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
