package step

import (
	"runtime/debug"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/pods"
)

// State is the state of a step.
type State string

// The states of a step.
const (
	Pending   State = "Pending"
	Running   State = "Running"
	Suspended State = "Suspended"
	Succeeded State = "Succeeded"
	Failed    State = "Failed"
)

// Report is one change of a step's state.
type Report struct {
	// Namespace and Execution name the Execution's object.
	Namespace, Execution string
	// Step is the step's name, DisplayName its title.
	Step, DisplayName string
	// Job is the name of the Job and Pod that of its newest pod, if it has one.
	Job, Pod string
	// State is the new state.
	State State
	// Reason and Message explain it.
	Reason, Message string
	// Resumed reports whether the Job existed before this call.
	Resumed bool
	// Elapsed is the time since the call began.
	Elapsed time.Duration
}

// report calls Parts.Report with a change of the step's state. A panic of the function
// ends neither the step nor the program.
func (s *Step) report(r Report) {
	defer func() {
		if v := recover(); v != nil {
			s.engine.Logger.Error("function that reports the progress of steps panicked", "step", s.name, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	s.engine.Report(s.identify(r))
}

// identify adds to a report whose it is.
func (s *Step) identify(r Report) Report {
	x := s.execution()
	r.Namespace, r.Execution = x.Namespace, x.Name
	r.Step, r.DisplayName = s.name, s.displayName
	r.Elapsed = time.Since(s.began)
	return r
}

// progress derives the state of a step from that of its Job and pods.
func (s *state) progress() (r Report) {
	r.State = Pending
	if s.job == nil {
		return r
	}
	r.Job = s.job.Name
	status := s.status()
	var newest *podState
	if len(s.pods) > 0 {
		newest = &s.pods[s.newest]
		r.Pod = newest.Name
	}
	switch {
	case status.Terminal && s.podsFinal(status), !status.Terminal && (s.early() || s.abandoned):
		return s.outcome(0, time.Time{}).progress()
	case status.Terminal && status.Failed:
		r.State, r.Reason, r.Message = Failed, status.Reason, plain.Text(status.Message)
	case status.Terminal:
		r.State = Succeeded
	case status.Suspended || s.job.Suspended:
		r.State = Suspended
		r.Reason, r.Message = s.heldBy(status)
	case newest == nil && s.job.ManagedBy != "" && status.Active > 0:
		r.State = Running
	case newest != nil:
		var phase string
		phase, r.Reason, r.Message = pods.Progress(newest.Object())
		if phase != string(corev1.PodPending) {
			r.State = Running
		}
	}
	if s.message != "" && r.State == Pending {
		r.Reason, r.Message = s.starting.reason, s.starting.message // in the words of an Event
	}
	return r
}

// progress returns the final state of a step.
func (o *Outcome) progress() Report {
	r := Report{Job: o.Job, State: Succeeded, Resumed: true}
	if len(o.Pods) > 0 {
		r.Pod = o.Pods[len(o.Pods)-1].Name
	}
	if !o.Failed {
		return r
	}
	r.State, r.Reason, r.Message = Failed, o.Reason, o.withCause(o.Message)
	return r
}
