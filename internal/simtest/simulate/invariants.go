package simulate

import "fmt"

// Invariant is one thing that must hold in every history.
type Invariant struct {
	Name  string // I1, I2 and so on
	Holds string // in words
	check func(f *facts, report func(about *run, format string, args ...any))
}

// Invariants are all that is checked, besides that every call returns and that no
// goroutine is left (I4), which is seen while a plan is carried out.
var Invariants = []Invariant{
	{"I1", "a step never has two runs whose pods run at the same time", checkOverlap},
	{"I2", "a run is created only if the policy allows it: never beside a living run, never after one that was recorded in its attempt", checkCreates},
	{"I3", "a result is what the store says, is recorded before it is returned, and is the same for all workers of an attempt", checkResults},
	{"I4", "after the faults a call has a result", checkFinal},
	{"I5", "an error that claims something about the cluster is true of the history during the call", checkClaims},
	{"I6", "nothing of a canceled Job starts after Cancel has returned", checkCancel},
	{"I7", "after Finish all Jobs have their TTL, and no Job is removed by a TTL before", checkFinish},
	{"I8", "requests and waits are bounded: two writes and no read for an undisturbed step, few LISTs at a time, no result or Cancel behind creates", checkBounds},
	{"I9", "objects of others are never written", checkForeign},
}

// Violation is an invariant that does not hold.
type Violation struct {
	Invariant string
	Text      string
	about     *run
}

// String returns the violation in one line.
func (v Violation) String() string { return v.Invariant + ": " + v.Text }

// Check returns what is violated in a history.
func Check(h *History) (violations []Violation) {
	f := newFacts(h)
	for _, i := range Invariants {
		i.check(f, func(about *run, format string, args ...any) {
			violations = append(violations, Violation{i.Name, fmt.Sprintf(format, args...), about})
		})
	}
	return violations
}
