package jobs

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/identity"
)

// Status is the decoded status of a Job.
type Status struct {
	// Terminal means that the Job has a condition Complete or Failed that is True.
	Terminal bool
	// Failed means that the Job is terminal and has failed.
	Failed bool
	// Ending means that the outcome is decided (SuccessCriteriaMet or FailureTarget is
	// True). Pods may still be running, so the Job need not have ended.
	Ending bool
	// Suspended means that the Job is suspended and has not ended.
	Suspended bool
	// Reason and Message are those of the terminal condition, else of the condition
	// that announces the end, else of Suspended.
	Reason, Message string
	// Succeeded, FailedPods, Active and Terminating are the Job's counts of pods.
	Succeeded, FailedPods, Active, Terminating int32
	// Started is the last start or resumption; zero when the Job has not started.
	Started time.Time
	// Finished is when the Job ended; zero when it has not.
	Finished time.Time
}

// Classify reads a Job's status. A Job has ended if and only if its condition
// Complete or Failed has status True (API doc of JobStatus.conditions). Counters prove
// nothing, since they change before and after the decision, and neither do
// SuccessCriteriaMet and FailureTarget (KEP-3939), which come first. The API server
// does not allow a Job to be both Complete and Failed. If a controller writes both,
// Failed applies.
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

// Held is the status of a Job by what [Client.Cancel] or [Client.GiveUp] and others have
// done to its spec. Kubernetes ends no Job that is suspended, since its deadline does not
// count, so that a queue that suspends a stopped Job again would keep it for ever. When no
// pod of such a Job is left it has ended, as failed: none is left to start.
func (s Status) Held(stopped, suspended bool) Status {
	if stopped && suspended && s.Suspended && s.Active == 0 && s.Terminating == 0 {
		s.Terminal, s.Failed, s.Suspended = true, true, false
	}
	return s
}

// StatusOf is [Classify] of a Job that may be held: see [Status.Held].
func StatusOf(job *batchv1.Job) Status {
	suspended := job.Spec.Suspend != nil && *job.Spec.Suspend
	return Classify(&job.Status).Held(identity.MetadataOf(job).Stopped(), suspended)
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
