package kontinue

import (
	"time"

	"github.com/kontinue/kontinue/internal/step"
)

// StepState is the state of a step.
type StepState string

// The states of a step. A step may go back from Running to Pending when the
// Job replaces a failed pod, and is Suspended while spec.suspend holds it.
const (
	StepPending   = StepState(step.Pending)
	StepRunning   = StepState(step.Running)
	StepSuspended = StepState(step.Suspended)
	StepSucceeded = StepState(step.Succeeded)
	StepFailed    = StepState(step.Failed)
)

// Progress is one change of a step's state, for [Config.OnProgress].
type Progress struct {
	// Execution is the name of the Execution's object, Namespace its namespace.
	Namespace, Execution string
	// Step is the step's name and DisplayName its title, which may be empty.
	Step, DisplayName string
	// Job is the name of the Job and Pod that of its newest pod, if it has one.
	Job, Pod string
	// State is the new state. StepSucceeded and StepFailed are the last. In the back-off of
	// [Retry] it is StepPending, and the Reason BackOff.
	State StepState
	// Reason and Message explain it where there is something to explain: why a
	// pod is not scheduled, that an image cannot be pulled, why a container is
	// restarted, why the Job failed and because of which pod. Both are plain text.
	Reason, Message string
	// Resumed reports whether the Job existed before this call.
	Resumed bool
	// Elapsed is the time since the call began, in this process.
	Elapsed time.Duration
}

func newProgress(r step.Report) Progress {
	return Progress{
		Namespace: r.Namespace, Execution: r.Execution, Step: r.Step, DisplayName: r.DisplayName,
		Job: r.Job, Pod: r.Pod, State: StepState(r.State), Reason: r.Reason, Message: r.Message,
		Resumed: r.Resumed, Elapsed: r.Elapsed,
	}
}
