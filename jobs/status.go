package jobs

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Status is what a Job's status says, read once.
type Status struct {
	// Terminal: the Job has ended, by a condition Complete or Failed that is True.
	Terminal bool
	// Failed: the Job has ended and failed. Without Terminal it is false.
	Failed bool
	// Ending: the outcome is decided (SuccessCriteriaMet or FailureTarget is True)
	// and pods may still be running; not a proof that the Job has ended.
	Ending bool
	// Suspended: the Job is suspended and has not ended.
	Suspended bool
	// Reason and Message are of the condition that decides: the terminal one, else
	// the one that announces the end, else Suspended.
	Reason, Message string
	// Succeeded, FailedPods, Active and Terminating are the Job's counts of pods.
	Succeeded, FailedPods, Active, Terminating int32
	// Started is the last start or resumption; zero when the Job has not started.
	Started time.Time
	// Finished is when the Job ended; zero when it has not.
	Finished time.Time
}

// Classify reads a Job's status. A Job has ended if and only if its condition
// Complete or Failed has status True (API doc of JobStatus.conditions): counters
// are no end, since they move before and after the decision, and neither are
// SuccessCriteriaMet and FailureTarget (KEP-3939), which come first. The API
// server lets no Job be both Complete and Failed; from a controller that writes
// both, Failed is believed.
func Classify(s *batchv1.JobStatus) Status {
	out := Status{Succeeded: s.Succeeded, FailedPods: s.Failed, Active: s.Active}
	if s.Terminating != nil {
		out.Terminating = *s.Terminating
	}
	if s.StartTime != nil {
		out.Started = s.StartTime.Time
	}
	terminal := first(s.Conditions, batchv1.JobFailed, batchv1.JobComplete)
	ending := first(s.Conditions, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet)
	suspended := first(s.Conditions, batchv1.JobSuspended)
	decides := suspended
	switch {
	case terminal != nil:
		decides = terminal
		out.Terminal, out.Failed = true, terminal.Type == batchv1.JobFailed
		out.Finished = terminal.LastTransitionTime.Time
		if s.CompletionTime != nil && !out.Failed {
			out.Finished = s.CompletionTime.Time
		}
	case ending != nil:
		decides = ending
	}
	out.Ending = ending != nil && !out.Terminal
	out.Suspended = suspended != nil && !out.Terminal
	if decides != nil {
		out.Reason, out.Message = decides.Reason, decides.Message
	}
	return out
}

// String returns Complete, Failed, Ending, Suspended, Running or Pending.
func (s Status) String() string {
	switch {
	case s.Terminal && s.Failed:
		return "Failed"
	case s.Terminal:
		return "Complete"
	case s.Ending:
		return "Ending"
	case s.Suspended:
		return "Suspended"
	case s.Active > 0:
		return "Running"
	}
	return "Pending"
}

// first returns the condition of the earliest of the types that is True.
func first(conditions []batchv1.JobCondition, kinds ...batchv1.JobConditionType) *batchv1.JobCondition {
	for _, kind := range kinds {
		for i := range conditions {
			if conditions[i].Type == kind && conditions[i].Status == corev1.ConditionTrue {
				return &conditions[i]
			}
		}
	}
	return nil
}
