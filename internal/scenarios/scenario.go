package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// Scenario describes one event or condition that a step can meet, and the expected
// result. Exactly one of Job, Pod and Script is set.
type Scenario struct {
	// Name is the name of the subtest, in kebab case.
	Name string
	// Shows is a short description.
	Shows string
	// Needs lists the capabilities that the backend must have.
	Needs []Capability
	// Labels are the labels of the scenario's namespace.
	Labels map[string]string

	// Job, Pod and Script are the options of the verb to call. The image [Image] is
	// replaced by that of the cluster.
	Job    *kontinue.JobOptions
	Pod    *kontinue.PodOptions
	Script *kontinue.ScriptOptions
	// Play has scripts for containers that the cluster in memory cannot run as
	// processes, by container name. If every container has a script, the scenario
	// runs in virtual time there.
	Play map[string]containers.Script

	// Interrupt cancels the worker's context once the step is running, and calls the
	// verb again like the next worker. Want is the result of the second call.
	Interrupt bool

	// Configure changes the configuration of the workers, and Without is a right that they
	// do not have.
	Configure func(c *kontinue.Config)
	Without   *Right
	// Before prepares the namespace as an administrator.
	Before func(ctx context.Context, r *Run) error
	// Earlier acts as an earlier worker, before the verb is called.
	Earlier func(ctx context.Context, r *Run) error
	// During acts on the cluster while the step is running.
	During func(ctx context.Context, r *Run) error
	// Settle acts on the cluster when the step has returned although its Job does not end
	// by itself.
	Settle func(ctx context.Context, r *Run) error
	// Want is the expected result of the verb.
	Want Want
	// Race describes a race between components of a real cluster. The result must
	// match Want whatever its outcome. The other facts in the record of the real
	// cluster are those of one run.
	Race string
	// Differs says why the pod may end otherwise than the result says, which was returned
	// when its containers had ended.
	Differs string
	// After makes further checks, for example of logs.
	After func(ctx context.Context, r *Run) error
}

// Want is the expected result of a verb. Texts need only be parts of the actual ones.
type Want struct {
	// The error of the verb must match Err by errors.Is and contain each ErrText. If
	// both are empty, a result is expected.
	Err     error
	ErrText []string

	// Succeeded is the expected Succeeded of the result.
	Succeeded bool
	// Complete, SucceededPods and FailedPods are the expected values of a JobResult.
	Complete                  bool
	SucceededPods, FailedPods int32
	// Pods are the pods of the result in any order.
	Pods []WantPod
	// Message lists parts of the result's message. The message must be empty if the
	// list is.
	Message []string
	// Exit is the expected Err of the result, or nil for none.
	Exit *WantExit
	// Reported lists reasons, or parts of messages, that must be reported to
	// Config.OnProgress.
	Reported []string
}

// WantPod is one pod of a result.
type WantPod struct {
	Phase     corev1.PodPhase
	Succeeded bool
}

// WantExit is an expected *kontinue.ExitError. Its fields must be equal, except that
// AnyCode allows any Code and Signal. Is, if not nil, must match by errors.Is. The default
// of Class is that of Is if it is a deadline or a cancellation, and else ClassUser.
type WantExit struct {
	Container    string
	Code, Signal int32
	AnyCode      bool
	Reason       string
	Is           error
	Class        kontinue.Class
}

// isError reports whether the verb must return an error.
func (w *Want) isError() bool { return w.Err != nil || len(w.ErrText) > 0 }

// podSpec returns the spec of the scenario's pods, or nil for a script.
func (s *Scenario) podSpec() *corev1.PodSpec {
	switch {
	case s.Job != nil:
		return &s.Job.Spec.Template.Spec
	case s.Pod != nil:
		return &s.Pod.Spec
	}
	return nil
}

// Played reports whether every container has a script, so that the scenario can run in
// virtual time.
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

// scriptContainer is the name of RunScript's container.
const scriptContainer = "script"

// All returns all scenarios. Each call returns new ones, which the caller may modify.
func All() []*Scenario {
	var all []*Scenario
	for _, group := range []func() []*Scenario{
		endings, podParts, stuck, gaveUp, deadNode, deadlines, parallel, jobPolicies, deletions, disruptions, refusals, admission, logReading, liveLogs, durability, identities, volumes, nodeOnly, usualEvents, restartRules, retries, scriptFiles, queues, ends,
		jobAPI, jobScale, jobIndexes, jobPods, droppedFields,
	} {
		all = append(all, group()...)
	}
	return all
}
