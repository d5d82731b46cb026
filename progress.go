package kontinue

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
)

// StepState is where a step stands.
type StepState string

// The states of a step. A step may go back from Running to Pending when the
// Job replaces a failed pod, and is Suspended while spec.suspend holds it.
const (
	StepPending   StepState = "Pending"
	StepRunning   StepState = "Running"
	StepSuspended StepState = "Suspended"
	StepSucceeded StepState = "Succeeded"
	StepFailed    StepState = "Failed"
)

// Progress is one change of a step's state, for [Config.OnProgress].
type Progress struct {
	// Execution is the name of the Execution's object, Namespace its namespace.
	Namespace, Execution string
	// Step is the step's name and DisplayName its title, which may be empty.
	Step, DisplayName string
	// Job is the name of the Job and Pod that of its newest pod, if it has one.
	Job, Pod string
	// State is the new state. StepSucceeded and StepFailed are the last.
	State StepState
	// Reason and Message explain it where there is something to explain: why a
	// pod is not scheduled, that an image cannot be pulled, why the Job failed.
	Reason, Message string
	// Resumed says that the Job was there before this call.
	Resumed bool
	// Elapsed is how long the step has been going on in this process.
	Elapsed time.Duration
}

// progress derives a step's state from what is known of its Job and pods.
func (v *view) progress() (p Progress) {
	p.State = StepPending
	if v.job == nil {
		return p
	}
	p.Job = v.job.Name
	status := jobs.Classify(&v.job.Status)
	newest := v.newest()
	if newest != nil {
		p.Pod = newest.Name
	}
	switch {
	case status.Terminal && status.Failed:
		p.State, p.Reason, p.Message = StepFailed, status.Reason, status.Message
	case status.Terminal:
		p.State = StepSucceeded
	case status.Suspended || v.job.Suspended:
		p.State = StepSuspended
	case newest != nil:
		var phase string
		phase, p.Reason, p.Message = pods.Progress(newest.Object())
		if phase != string(corev1.PodPending) {
			p.State = StepRunning
		}
	}
	return p
}

// newest returns the pod that was created last, by name among equals.
func (v *view) newest() *podView {
	var newest *podView
	for i := range v.pods {
		p := &v.pods[i]
		if newest == nil || newest.CreationTimestamp.Before(&p.CreationTimestamp) ||
			newest.CreationTimestamp.Equal(&p.CreationTimestamp) && newest.Name < p.Name {
			newest = p
		}
	}
	return newest
}

// progress is the last state of a step whose outcome had been recorded.
func (o *outcome) progress() Progress {
	p := Progress{Job: o.job, State: StepSucceeded, Resumed: true}
	if len(o.pods) > 0 {
		p.Pod = o.pods[len(o.pods)-1].Name
	}
	if o.Failed {
		p.State, p.Reason, p.Message = StepFailed, o.Reason, o.Message
	}
	return p
}
