package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// begin counts the workers of an attempt as running.
func (r *runner) begin(e *execution, attempt int) {
	e.mu.Lock()
	beside := len(e.running) > 0
	e.running[attempt] = e.workers
	e.mu.Unlock()
	if beside {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.report.Overlapping++
	}
}

// end counts a worker of an attempt as ended.
func (e *execution) end(attempt int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[attempt]--; e.running[attempt] == 0 {
		delete(e.running, attempt)
	}
}

// overlaps reports whether workers of several attempts are running.
func (e *execution) overlaps() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.running) > 1
}

// checkOverlap compares the Jobs of an Execution whose attempts overlap with what is
// allowed, and with the results.
func (r *runner) checkOverlap(ctx context.Context, e *execution) {
	own := func(j *history.Job) bool { return j.Execution == e.owner.UID }
	c := &overlapCheck{policy: e.policy, attempts: e.attempts, results: e.results}
	c.jobs = r.bed.History.Await(ctx, own, c.settled)
	c.addf = func(kind report.Kind, format string, args ...any) {
		r.report.Findings.Addf(kind, "execution %d, policy %s, %d attempts at once: %s", e.number, e.policy, e.attempts, fmt.Sprintf(format, args...))
	}
	c.check()
	r.countJobs(e, c.jobs)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range c.jobs {
		if j.Deleted {
			r.report.Deleted++
		}
	}
}

// overlapCheck checks an Execution whose attempts overlapped. Which runs a step has
// depends on what came first. The check therefore takes the order of creates, ends and
// records from the history:
//
//   - Jobs of a step do not overlap, and neither do their pods;
//   - a run follows only one that was recorded in an earlier attempt and that the policy
//     runs again, or one that was deleted without a record under RetryAll;
//   - a Job that was recorded before its deletion began stays, with one record and all its
//     pods;
//   - a result is that of a run that was recorded or deleted, and all workers of an attempt
//     return that of the same run, unless a later attempt has run the step again.
type overlapCheck struct {
	policy   kontinue.ChildPolicy
	attempts int
	jobs     []history.Job
	results  []Result
	addf     func(kind report.Kind, format string, args ...any)
}

// settled reports whether the history has what a worker may have seen before it: the end
// and the record of each Job, and the pods in the results.
func (c *overlapCheck) settled(jobs []history.Job) bool {
	known := map[types.UID]bool{}
	for _, j := range jobs {
		if !j.Deleted && (j.Ended.IsZero() || len(j.Records) == 0) {
			return false
		}
		for uid := range j.Pods {
			known[uid] = true
		}
	}
	return !slices.ContainsFunc(c.results, func(r Result) bool {
		return slices.ContainsFunc(r.Pods, func(uid string) bool { return !known[types.UID(uid)] })
	})
}

func (c *overlapCheck) check() {
	byStep := map[string][]history.Job{}
	for _, j := range c.jobs {
		byStep[j.Step] = append(byStep[j.Step], j)
	}
	for _, s := range steps {
		jobs := byStep[s.name]
		delete(byStep, s.name)
		slices.SortFunc(jobs, func(a, b history.Job) int { return int(a.Began) - int(b.Began) })
		for i := range jobs {
			c.job(s, &jobs[i])
			for k := range i {
				c.order(&jobs[k], &jobs[i])
			}
		}
		if len(jobs) == 0 || jobs[len(jobs)-1].Deleted {
			c.addf(report.Lost, "step %s has no job in the end", s.name)
		}
		c.resultsOf(s, jobs)
	}
	for name := range byStep {
		c.addf(report.Duplicate, "jobs of an unknown step %q", name)
	}
}

// job checks one Job.
func (c *overlapCheck) job(s step, j *history.Job) {
	n := len(j.Pods)
	if n > s.pods() {
		c.addf(report.Duplicate, "job %s had %d pods, want %d", j.Name, n, s.pods())
	}
	switch {
	case j.Deleted && (c.policy != kontinue.ChildPolicyRetryAll || len(j.Records) > 0 && (j.Deleting == 0 || j.Recorded < j.Deleting)):
		c.addf(report.Lost, "job %s with %d records was deleted", j.Name, len(j.Records))
	case j.Deleted:
	case n < s.pods():
		c.addf(report.Wrong, "job %s had %d pods, want %d", j.Name, n, s.pods())
	case len(j.Records) != 1:
		c.addf(report.Wrong, "job %s had %d different records", j.Name, len(j.Records))
	}
}

// order checks two Jobs of a step, of which a was created first.
func (c *overlapCheck) order(a, b *history.Job) {
	if a.Overlaps(b.Span) {
		c.addf(report.Duplicate, "run %d of step %s was created while run %d existed and had not ended", b.Run, b.Step, a.Run)
	}
	for p, before := range a.Pods {
		for q, after := range b.Pods {
			if before.Overlaps(after.Span) {
				c.addf(report.Duplicate, "pod %s of run %d of step %s ran at the same time as pod %s of run %d", q, b.Run, b.Step, p, a.Run)
			}
		}
	}
	if a.Deleted {
		return // job has checked whether that was allowed
	}
	if b.Run <= a.Run {
		c.addf(report.Duplicate, "run %d of step %s was created after run %d", b.Run, b.Step, a.Run)
	}
	record, ok := readRecord(a)
	switch {
	case !ok || a.Recorded > b.Began:
		c.addf(report.Duplicate, "run %d of step %s was created before run %d was recorded", b.Run, b.Step, a.Run)
	case c.policy == kontinue.ChildPolicyNone:
		c.addf(report.Duplicate, "run %d of step %s was created after run %d", b.Run, b.Step, a.Run)
	case c.policy == kontinue.ChildPolicyRetryFailed && !record.Failed:
		c.addf(report.Duplicate, "run %d of step %s was created after run %d had succeeded", b.Run, b.Step, a.Run)
	case b.Attempt <= record.Attempt:
		c.addf(report.Duplicate, "run %d of step %s was created in attempt %d after run %d had been recorded in attempt %d", b.Run, b.Step, b.Attempt, a.Run, record.Attempt)
	}
}

// resultsOf checks the results of a step.
func (c *overlapCheck) resultsOf(s step, jobs []history.Job) {
	byPod, newest := map[string]*history.Job{}, 0
	for i := range jobs {
		j := &jobs[i]
		newest = max(newest, j.Attempt)
		for uid := range j.Pods {
			byPod[string(uid)] = j
		}
	}
	first := map[int]*history.Job{} // by attempt
	for _, got := range c.results {
		if got.Step != s.name {
			continue
		}
		var of *history.Job
		if len(got.Pods) > 0 {
			of = byPod[got.Pods[0]]
		}
		if of == nil || slices.ContainsFunc(got.Pods, func(uid string) bool { return byPod[uid] != of }) {
			c.addf(report.Wrong, "attempt %d, step %s: the pods %v are not those of one job", got.Attempt, s.name, got.Pods)
			continue
		}
		want := s.result(of.Run)
		want.Attempt, want.Pods = got.Attempt, got.Pods
		switch before := first[got.Attempt]; {
		case len(got.Pods) != s.pods():
			c.addf(report.Wrong, "attempt %d, step %s: %d pods", got.Attempt, s.name, len(got.Pods))
		case !reflect.DeepEqual(want, got):
			c.addf(report.Wrong, "attempt %d, run %d of step %s: %+v, want %+v", got.Attempt, of.Run, s.name, got, want)
		case len(of.Records) == 0 && !of.Deleted:
			c.addf(report.Wrong, "attempt %d, run %d of step %s: a result without a record", got.Attempt, of.Run, s.name)
		case before == nil:
			first[got.Attempt] = of
		case before.UID != of.UID && newest <= got.Attempt:
			c.addf(report.Wrong, "attempt %d, step %s: results of the runs %d and %d", got.Attempt, s.name, before.Run, of.Run)
		}
	}
	for attempt := range c.attempts {
		if first[attempt] == nil {
			c.addf(report.Lost, "attempt %d, step %s: no result", attempt, s.name)
		}
	}
}

// recordOf is what the check reads of a record.
type recordOf struct {
	Attempt int
	Failed  bool
}

// readRecord reads the first record of a Job. job has checked that there is no other.
func readRecord(j *history.Job) (r recordOf, ok bool) {
	return r, len(j.Records) > 0 && json.Unmarshal([]byte(j.Records[0]), &r) == nil
}
