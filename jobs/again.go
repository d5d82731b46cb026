package jobs

import (
	"slices"
	"time"

	"github.com/kontinue/kontinue/internal/record"
)

// maxBackoff is the longest back-off of a [Retry], unless its first one is longer.
const maxBackoff = 5 * time.Minute

// Retry says after which failures of a step another run of it follows in the same attempt. A
// nil Retry means none.
type Retry struct {
	// Limits are how many runs may follow failures of each kind.
	Limits []int
	// Kind returns the kind of the failure that a record says, from 1, which is the place
	// of its limit in Limits, or 0 if no run follows it.
	Kind func(record.Record) int
	// Backoff is how long after the end of a failed run the next one follows. It doubles
	// with each, up to five minutes unless it is longer itself.
	Backoff time.Duration
	// Now returns the time by the clock of the cluster, at least.
	Now func() time.Time
}

// Plan is p.Plan, and decides in addition whether another run follows a failed one in the
// attempt.
func (r *Retry) Plan(p Policy, attempt int, runs []Run) Decision {
	var now time.Time
	if r != nil && r.Now != nil {
		now = r.Now()
	}
	return r.planAt(p, attempt, runs, now)
}

// planAt decides from its arguments alone, so that all workers decide the same: the one that
// saw the end of the failed run, one that resumes during the back-off, and those beside them.
//
// Another run follows the newest one if that belongs to this attempt, its record says that it
// has failed in a way that Limits allow, and the step was not canceled. Runs of other attempts
// do not count, except under None, by which all attempts have the same runs: a worker of an
// earlier one that is still alive would change the result of a later one otherwise. It follows
// when the back-off is over and no other run is left that is not terminal.
func (r *Retry) planAt(p Policy, attempt int, runs []Run, now time.Time) Decision {
	d := p.Plan(attempt, runs)
	if d.Adopt == nil {
		d.Runs = len(p.runsOf(attempt, runs)) + 1
		return d
	}
	d.Runs = len(p.runsOf(d.Adopt.attempt(), runs))
	if p == None || d.Adopt.attempt() == 0 { // the cache may show the newest only
		d.Runs = max(d.Runs, d.Adopt.Number+1)
	}
	own := p.runsOf(attempt, runs)
	if r == nil || !isNewest(d.Adopt, runs) || !r.follows(d.Adopt, own) {
		return d
	}
	d.Backoff = r.backoff(len(own))
	if due := d.Adopt.Ended.Add(d.Backoff); due.After(now) {
		d.Until = due
		return d
	}
	return r.next(runs, d.Runs+1)
}

// attempt is the one that the run belongs to: in which it was created or, if that is later,
// recorded.
func (r *Run) attempt() int {
	if r.Recorded {
		return max(r.Attempt, r.RecordedAttempt)
	}
	return r.Attempt
}

// runsOf returns those of the runs that belong to the attempt, without one that is being
// deleted and never has a result.
func (p Policy) runsOf(attempt int, runs []Run) (own []Run) {
	for _, run := range runs {
		if (p == None || run.attempt() == attempt) && (run.finished() || !run.Deleting) {
			own = append(own, run)
		}
	}
	return own
}

// isNewest reports whether no later run can have a result.
func isNewest(run *Run, runs []Run) bool {
	return !slices.ContainsFunc(runs, func(other Run) bool {
		return other.Number > run.Number && (other.finished() || !other.Deleting)
	})
}

// follows reports whether another run follows the newest one, of those that belong to the
// attempt.
func (r *Retry) follows(newest *Run, own []Run) bool {
	if !newest.Recorded || newest.CancelRequested || newest.Failure < 1 || newest.Failure > len(r.Limits) {
		return false
	}
	failures, belongs := 0, false
	for i := range own {
		other := &own[i]
		belongs = belongs || other.Number == newest.Number
		if other.Failure == newest.Failure || !other.Recorded { // what a lost record said is not known
			failures++
		}
	}
	return belongs && failures <= r.Limits[newest.Failure-1]
}

// backoff is the one after that many runs of the attempt.
func (r *Retry) backoff(runs int) time.Duration {
	d := r.Backoff
	for ; runs > 1 && d < maxBackoff; runs-- {
		d *= 2
	}
	return min(d, max(r.Backoff, maxBackoff))
}

// next is the decision to create the next run, when all others are terminal or gone. None is
// deleted for it.
func (r *Retry) next(runs []Run, count int) Decision {
	d := Decision{Retry: true, Runs: count}
	for _, run := range runs {
		if run.Deleting || !run.Terminal {
			d.Await = append(d.Await, run)
		}
		d.Create = max(d.Create, run.Number+1)
	}
	slices.SortFunc(d.Await, func(x, y Run) int { return y.Number - x.Number })
	return d
}
