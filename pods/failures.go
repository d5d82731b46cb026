package pods

import (
	"cmp"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
)

// Part is what a pod that failed had to do with the end of its Job.
type Part int

// The parts, from the cause to those that had no part in it. They are recorded by their
// number.
const (
	// PartDecided: by this failure the Job controller decided that the Job failed.
	PartDecided Part = iota + 1
	// PartCounted: it failed by itself, and the Job continued.
	PartCounted
	// PartLater: it failed by itself when the decision was made, or without an effect.
	PartLater
	// PartRemoved: it was deleted while the Job ran, by hand, by a drain or by a scheduler.
	PartRemoved
	// PartStopped: the Job controller stopped it, since the Job's end was decided.
	PartStopped
	// PartSuspended: it was stopped before the Job started for the last time.
	PartSuspended
	// PartIgnored: the Job's podFailurePolicy ignores its failure.
	PartIgnored
	// PartUnknown: its end was not observed.
	PartUnknown
)

// Victim reports whether the pod did not fail by itself, or its failure does not count.
func (p Part) Victim() bool { return p > PartLater }

// JobEnd is what a Job says about its end, as far as that shows which pod is to blame.
// The zero value says nothing.
type JobEnd struct {
	// Failed reports whether the Job failed; it may be Complete in spite of pods that did.
	Failed bool
	// Canceled reports whether the Job was asked to stop, and GaveUp whether a worker
	// stopped it since its pods did not start or stop: Reason and Message then say why.
	Canceled, GaveUp bool
	// Reason and Message are those of the condition Failed or Complete. The Reason
	// PodFailurePolicy may be followed by an underscore and the name of a rule (KEP-4443).
	Reason, Message string
	// Decided is when the condition FailureTarget or SuccessCriteriaMet came, or else the
	// final one, and Started when the Job started or was resumed for the last time. Both
	// are by clocks of the control plane, as deletions are; zero means unknown.
	Decided, Started time.Time
	// BackoffLimit and MaxFailedIndexes are those of the spec; nil means unknown, and for
	// the latter also none.
	BackoffLimit, MaxFailedIndexes *int32
	// FailedIndexes is that of the status; nil without backoffLimitPerIndex.
	FailedIndexes *string
	// Decider names the pod because of which a worker stopped the Job; empty means none.
	Decider string
	// FailedPods is how many failed pods the Job counted, those that are lost included, and
	// Lost how many of its pods no worker observed.
	FailedPods, Lost int
}

// Failure is one pod that did not succeed.
type Failure struct {
	// Pod is its index in the list.
	Pod int
	// Part is what it had to do with the Job's end.
	Part Part
}

// Failures orders the pods of a Job that did not succeed by what they had to do with its
// end, the one to blame first. outcomes are pods of one Job in any order, which makes no
// difference.
//
//  1. The failure that decided. Of BackoffLimitExceeded it is the first one beyond
//     backoffLimit in the order of their ends, the last try of pods that run one after
//     the other; of MaxFailedIndexesExceeded the last try of the first index beyond
//     maxFailedIndexes; of FailedIndexes that of the first index that failed; of
//     PodFailurePolicy the pod that the Job's message names. No pod decides a deadline.
//  2. Others that failed by themselves: what came before the decision, the latest first,
//     and then what came after it.
//  3. Victims: pods that were deleted while they ran, by others and then by the Job
//     controller after the decision; pods that a suspension removed; pods whose failure the
//     podFailurePolicy ignores.
//
// A pod with a Rank keeps it, with its Part, and comes before those without: it was
// ranked by somebody who knew more.
func (e JobEnd) Failures(outcomes []Outcome) []Failure {
	var ranked []Failure
	b := blame{JobEnd: e, outcomes: outcomes}
	for i, o := range outcomes {
		switch {
		case o.Rank > 0:
			ranked = append(ranked, Failure{Pod: i, Part: o.Part})
		case !o.Succeeded():
			b.candidates = append(b.candidates, candidate{pod: i, Outcome: &outcomes[i], end: o.failedAt()})
		}
	}
	slices.SortFunc(ranked, func(x, y Failure) int {
		return cmp.Or(outcomes[x.Pod].Rank-outcomes[y.Pod].Rank, strings.Compare(outcomes[x.Pod].Name, outcomes[y.Pod].Name))
	})
	for _, c := range b.order() {
		ranked = append(ranked, Failure{Pod: c.pod, Part: c.part})
	}
	return ranked
}

// DecidedByPods reports whether the Job's end, if it failed, was decided by what its pods
// did, and not for example by its deadline.
func (e JobEnd) DecidedByPods() bool {
	switch e.reason() {
	case batchv1.JobReasonBackoffLimitExceeded, batchv1.JobReasonPodFailurePolicy,
		batchv1.JobReasonMaxFailedIndexesExceeded, batchv1.JobReasonFailedIndexes:
		return true
	}
	return false
}

// reason is the Reason without the name of a rule.
func (e JobEnd) reason() string {
	if strings.HasPrefix(e.Reason, batchv1.JobReasonPodFailurePolicy+"_") {
		return batchv1.JobReasonPodFailurePolicy
	}
	return e.Reason
}
