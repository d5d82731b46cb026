package jobs

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Policy says which finished runs of a step run again when the Execution is retried,
// that is in a later attempt.
type Policy int

const (
	// None runs no finished step again.
	None Policy = iota
	// RetryFailed runs a failed step again and keeps a succeeded one.
	RetryFailed
	// RetryAll runs every step again.
	RetryAll
)

// Run is one Job of a step, as far as [Policy.Plan] and a resume need to know it.
type Run struct {
	// Name of the Job.
	Name string
	// UID of the Job.
	UID types.UID
	// Number is the run's number, from 0.
	Number int
	// Attempt is the attempt of the Execution that created the Job.
	Attempt int
	// Terminal and Failed are as in [Status]. For a recorded run, Failed is what the
	// record says of the step.
	Terminal, Failed bool
	// Deleting reports whether the Job has a deletion timestamp.
	Deleting bool
	// Recorded reports whether a readable record is on the Job: a function may have
	// received its result.
	Recorded bool
	// RecordedAttempt is the attempt in which it was recorded.
	RecordedAttempt int
	// Record is the text of the record, readable or not; empty when there is none.
	Record string
	// Labeled reports whether the Job carries identity.LabelRecorded, by which a watch
	// does not show it.
	Labeled bool
	// Group is the worker group that the Job belongs to.
	Group string
	// SpecHash is the hash of the spec that was submitted.
	SpecHash string
	// TraceParent is the trace context of the step that created the Job; empty without one.
	TraceParent string
	// Contents is as in [Found].
	Contents uint64
	// Failure is the kind of the failure that the record of a failed run says, as
	// Retry.Kind returns it; 0 means that no other run follows it.
	Failure int
	// Ended is when the run ended, as its record says.
	Ended time.Time
	// CancelRequested reports whether the step was canceled, before the Job's end or after
	// it.
	CancelRequested bool
}

// finished reports whether the run has a result: it is recorded or terminal.
func (r *Run) finished() bool { return r.Recorded || r.Terminal }

// Decision is what to do for a step.
type Decision struct {
	// Adopt is the run whose result counts: wait for it, or read it. Nil means
	// that a new run has to be created.
	Adopt *Run
	// Create is the number of the run to create when Adopt is nil and there is
	// nothing to delete or to wait for.
	Create int
	// Delete are the runs that have to be deleted, and gone with their pods, before
	// the new run is created, so that two runs of a step never overlap.
	Delete []Run
	// Await are the runs that have to be gone or, unless they are being deleted,
	// terminal before the new run is created. After both the runs are planned again.
	Await []Run
	// Until is when another run of the same attempt follows the one to adopt, which has
	// failed. The zero time means that none does.
	Until time.Time
	// Backoff is how long that is after its end.
	Backoff time.Duration
	// Retry reports whether the new run follows a failure in the same attempt.
	Retry bool
	// Runs is how many runs the attempt has had with the one to adopt or to create.
	Runs int
}

// Plan decides, from the runs of a step that exist, which one is the step's
// result in the given attempt (from 0), or that a new one is needed. The order of
// runs does not matter.
//
// A run that belongs to this attempt is its result under every policy: it was created
// or recorded in it, or has finished and no caller received its result. Otherwise the
// newest run decides: the step waits for one that is running, except under RetryAll,
// and the policy applies to one that has finished.
//
// The number of a new run follows from the runs that stay, not from the attempt:
// workers of any attempts that see the same runs compute the same name, and the API
// server lets one of them create it.
func (p Policy) Plan(attempt int, runs []Run) Decision {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b Run) int { return cmp.Compare(b.Number, a.Number) })
	// A run that is being deleted and has no result will never have one.
	candidates := slices.DeleteFunc(slices.Clone(runs), func(r Run) bool { return r.Deleting && !r.finished() })
	if r := p.adopt(attempt, candidates); r != nil {
		return Decision{Adopt: r}
	}
	d := Decision{}
	for _, r := range runs {
		switch {
		case r.Deleting, r.Recorded && !r.Terminal:
			d.Await = append(d.Await, r)
		case !r.Terminal:
			d.Delete = append(d.Delete, r)
		}
	}
	if len(runs) > 0 {
		d.Create = runs[0].Number + 1
	}
	return d
}

// adopt returns the run to adopt out of those that exist, newest first.
func (p Policy) adopt(attempt int, runs []Run) *Run {
	if len(runs) == 0 {
		return nil
	}
	newest := &runs[0]
	if p == None || newest.Attempt >= attempt {
		return newest
	}
	// The attempt returns again what it has returned before, also from an older run.
	for i := range runs {
		if r := &runs[i]; r.Recorded && r.RecordedAttempt >= attempt {
			return r
		}
	}
	switch {
	case newest.Terminal && !newest.Recorded:
		return newest
	case p == RetryAll:
		return nil
	case !newest.finished(), !newest.Failed:
		return newest
	}
	// An older run that still runs is unusual (the policy was changed between
	// attempts) but must not run beside a new one.
	for i := range runs {
		if !runs[i].finished() {
			return &runs[i]
		}
	}
	return nil
}
