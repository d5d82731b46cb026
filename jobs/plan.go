package jobs

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// Policy says which finished runs of a step are run again when the Execution is
// retried, that is when its attempt has grown.
type Policy int

const (
	// None runs nothing again: what a step has done once is done.
	None Policy = iota
	// RetryFailed runs a failed step again and keeps a succeeded one.
	RetryFailed
	// RetryAll runs every step again.
	RetryAll
)

// Run is one Job of a step, as far as Plan needs to know it.
type Run struct {
	// Name of the Job.
	Name string
	// UID of the Job.
	UID types.UID
	// Run is its run number.
	Run int
	// Terminal and Failed as [Classify] tells them.
	Terminal, Failed bool
	// Deleting: the Job has a deletion timestamp. It cannot be adopted.
	Deleting bool
	// Recorded: its outcome is on the Job, so a function has been given it.
	Recorded bool
	// RecordedAttempt is the attempt in which it was recorded, from 0, or a later one
	// that was given that record although it adopted the run without it.
	RecordedAttempt int
}

// Decision is what to do for a step.
type Decision struct {
	// Adopt is the run whose result counts: wait for it, or read it. Nil means
	// that a new run has to be created.
	Adopt *Run
	// Create is the number of the run to create when Adopt is nil.
	Create int
	// Remove are the Jobs that have to be gone, with their pods, before the new
	// run is created, so that never two runs of a step overlap.
	Remove []Run
}

// Plan decides, from the runs of a step that exist, which one is the step's
// result in the given attempt (from 0), or that a new one is needed. The order of
// runs does not matter.
//
// A run that belongs to this attempt is its result under every policy: it was
// created in it, was recorded in it, or has finished and was given to nobody. Of
// the others a running one is waited for, except under RetryAll, and a finished
// one is subject to the policy. The newest run speaks for the step.
func (p Policy) Plan(attempt int, runs []Run) Decision {
	var live, rest []Run
	for _, r := range runs {
		if r.Deleting {
			rest = append(rest, r)
		} else {
			live = append(live, r)
		}
	}
	newestFirst := func(a, b Run) int { return cmp.Compare(b.Run, a.Run) }
	slices.SortStableFunc(live, newestFirst)
	if r := p.adopt(attempt, live); r != nil {
		return Decision{Adopt: r}
	}
	d := Decision{}
	if p != None {
		d.Create = attempt
	}
	for _, r := range append(live, rest...) {
		if !r.Terminal {
			d.Remove = append(d.Remove, r)
		}
	}
	slices.SortStableFunc(d.Remove, newestFirst)
	return d
}

// adopt returns the run to adopt out of those that exist, newest first.
func (p Policy) adopt(attempt int, live []Run) *Run {
	if len(live) == 0 {
		return nil
	}
	newest := &live[0]
	if p == None || newest.Run >= attempt {
		return newest
	}
	// What this attempt was given it is given again, be it an older run.
	for i := range live {
		if r := &live[i]; r.Terminal && r.Recorded && r.RecordedAttempt >= attempt {
			return r
		}
	}
	switch {
	case newest.Terminal && !newest.Recorded:
		return newest
	case p == RetryAll:
		return nil
	case !newest.Terminal, !newest.Failed:
		return newest
	}
	// An older run that still runs is unusual (the policy was changed between
	// attempts) but must not run beside a new one.
	for i := range live {
		if !live[i].Terminal {
			return &live[i]
		}
	}
	return nil
}
