package kontinue

import (
	"context"
	"errors"

	"github.com/kontinue/kontinue/internal/step"
)

// StepStatus is one run of a step of an Execution, by what is stored in the cluster. See
// [Client.Steps].
type StepStatus struct {
	// Name is the step's name and DisplayName its title, which may be empty.
	Name, DisplayName string
	// State is that of the Job: StepFailed if the Job has failed. It is StepRunning while
	// the Job has ready pods.
	State StepState
	// Attempt is the attempt of the Execution that created the Job, and Run the number of
	// the run: both begin at 0, and Run is incremented when a child policy or [Retry]
	// runs the step again.
	Attempt, Run int
	// Job is the name of the Job.
	Job string
	// Pods are the names of the Job's pods, in the order of their creation: those of the
	// record or, before there is one, those that this client watches.
	Pods []string
	// Times are when the Job reached each stage, as far as the Job and those pods show it.
	Times Times
	// Reason and Message explain a failure as [JobResult.Err] does, or why a pod that this
	// client watches has not started.
	Reason, Message string
	// Class is that of a failure, and empty otherwise.
	Class Class
	// Recorded reports whether the result of the step is recorded on the Job. Pods and logs
	// may be gone then, and a resume returns that result.
	Recorded bool
}

// Steps returns the runs of an Execution's steps, of every worker group: steps in the order
// in which they began, those of the same second by name, and the runs of a step with the
// newest last. A step has a further run if a child policy or [Retry] has run it again. Jobs
// that have expired since [Client.Finish] are not there, and neither are steps that have not
// been called yet.
//
// It costs one LIST of the Execution's Jobs, in pages of 500, and no other request. It
// works in any process that may list Jobs, and in a client that is not started, which then
// opens no watch: a command that asks needs no more than New and Steps. Of a step without a
// record only a client that is started, in the worker group of the step, knows the pods and
// why one has not started. After Stop it fails with [ErrNotRunning].
func (c *Client) Steps(ctx context.Context, execution Execution) ([]StepStatus, error) {
	var all []StepStatus
	err := c.forExecution(ctx, "Steps", execution, func(x step.Execution) error {
		found, err := c.engine.Steps(ctx, x.Execution)
		for _, s := range found {
			all = append(all, newStepStatus(s))
		}
		return err
	})
	return all, err
}

func newStepStatus(s step.Status) StepStatus {
	result := newJobResult(s.Outcome)
	out := StepStatus{
		Name: s.Step, DisplayName: s.DisplayName, State: StepState(s.State), Attempt: s.Attempt, Run: s.Run,
		Job: s.Outcome.Job, Times: result.Times, Reason: s.Reason, Message: s.Message, Recorded: s.Recorded,
	}
	for _, p := range s.Outcome.Pods {
		out.Pods = append(out.Pods, p.Name)
	}
	var failure *ExitError
	if s.State == step.Failed && errors.As(result.Err(), &failure) {
		out.Reason, out.Message, out.Class = failure.Reason, failure.Message, failure.Class
	}
	return out
}
