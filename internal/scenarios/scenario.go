package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// Scenario is one thing that can happen to a step and what its caller is told.
// Exactly one of Job, Pod and Script is set.
type Scenario struct {
	// Name is the name of the subtest, in kebab case.
	Name string
	// Shows says in half a sentence what happens.
	Shows string
	// Needs are what not every backend can do.
	Needs []Capability
	// Labels are those of the scenario's namespace.
	Labels map[string]string

	// Job, Pod and Script are the options of the verb that is called. The image
	// [Image] stands for the backend's own.
	Job    *kontinue.JobOptions
	Pod    *kontinue.PodOptions
	Script *kontinue.ScriptOptions
	// Play says how the cluster in memory plays containers that it cannot run as
	// processes, by their names. If all containers are played the scenario takes
	// place in virtual time there.
	Play map[string]kubelet.Script

	// Interrupt ends the worker's context once the step runs and calls the verb
	// again, as the next worker does. Want is about the second call.
	Interrupt bool

	// Before prepares the namespace, as its administrator.
	Before func(ctx context.Context, r *Run) error
	// During acts on the cluster while the step is under way.
	During func(ctx context.Context, r *Run) error
	// Want is what the verb must return.
	Want Want
	// Race says what parts of a real cluster decide by which of them is first. The
	// result must be as Want says whichever it is; of the other facts the record of
	// the real cluster holds what one run saw.
	Race string
	// After looks further, for example at logs.
	After func(ctx context.Context, r *Run) error
}

// Want is the expected answer of a verb. Texts are parts of the real one.
type Want struct {
	// Err is the error that the verb must return, in the sense of errors.Is, and
	// ErrText what its text must hold. With neither a result is expected.
	Err     error
	ErrText []string

	// Succeeded is the result's verdict.
	Succeeded bool
	// Complete, SucceededPods and FailedPods are those of a JobResult.
	Complete                  bool
	SucceededPods, FailedPods int32
	// Pods are the pods of the result in any order.
	Pods []WantPod
	// Message holds parts of the result's message; it must be empty when there
	// are none.
	Message []string
	// Exit is what the result's Err must be; nil for a success.
	Exit *WantExit
	// Reported are reasons, or parts of messages, that Config.OnProgress must
	// have been told.
	Reported []string
}

// WantPod is one pod of a result.
type WantPod struct {
	Phase     corev1.PodPhase
	Succeeded bool
}

// WantExit is an expected *kontinue.ExitError. Container, Code and Signal
// must be equal, unless AnyCode leaves the latter two open.
type WantExit struct {
	Container    string
	Code, Signal int32
	AnyCode      bool
	Reason       string
	Is           error
}

// isError reports that the verb must return an error.
func (w *Want) isError() bool { return w.Err != nil || len(w.ErrText) > 0 }

// podSpec returns the spec of the scenario's pods, nil for a script.
func (s *Scenario) podSpec() *corev1.PodSpec {
	switch {
	case s.Job != nil:
		return &s.Job.Spec.Template.Spec
	case s.Pod != nil:
		return &s.Pod.Spec
	}
	return nil
}

// Played reports that the cluster in memory runs no process for the scenario:
// it can take place in virtual time.
func (s *Scenario) Played() bool {
	spec := s.podSpec()
	if spec == nil {
		_, ok := s.Play[scriptContainer]
		return ok
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for _, c := range list {
			if _, ok := s.Play[c.Name]; !ok {
				return false
			}
		}
	}
	return true
}

// scriptContainer is the name that RunScript gives to its container.
const scriptContainer = "script"

// All returns the scenarios. Each call makes new ones.
func All() []*Scenario {
	var all []*Scenario
	for _, group := range []func() []*Scenario{
		endings, podParts, stuck, deadlines, parallel, jobPolicies, disruptions, refusals, admission, logReading, durability, identities, nodeOnly,
	} {
		all = append(all, group()...)
	}
	return all
}
