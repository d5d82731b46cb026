package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
)

// Spec is what one step runs. It must not change until [Run.Do] returns.
type Spec struct {
	// Name is the step's name; empty means its ordinal in the function.
	Name string
	// DisplayName and Description are for people.
	DisplayName, Description string
	// Timeout bounds the Job's run; zero means no bound.
	Timeout time.Duration
	// Job is the spec of the Job.
	Job *batchv1.JobSpec
	// Submitted is what the user gave where Job was made from it, or nil.
	Submitted any
	// Labels and Annotations are added to the Job.
	Labels, Annotations map[string]string
	// SinglePod says that the Job makes one pod, whose end is the step's.
	SinglePod bool
	// Until says how much of the end of that pod is waited for.
	Until Until
}

// step is one call of [Run.Do].
//
// Thousands of them wait in a process, each with its stack. Large values, such as a
// spec, must therefore not live in a stack frame that is on the stack during the wait
// (hence the functions marked noinline), and are released before it; and the contexts
// of requests exist only while there are requests.
type step struct {
	engine      *Engine
	run         *Run
	request     *jobs.Request // nil once the Job exists
	name        string
	named       bool
	singlePod   bool
	until       Until
	containers  []string // the names of those that were submitted
	restamp     bool     // the Job is an earlier attempt's, and the plan saw no record on it
	displayName string
	began       time.Time

	wait      *wait
	drift     []string
	mutations []string
	outcome   *Outcome          // nil until there is one to return
	release   func(result bool) // see claimName
}

// Do runs a step's Job to its end, or resumes one that exists already.
func (r *Run) Do(spec *Spec) (*Outcome, error) {
	s, err := r.newStep(spec)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.adoptOrCreate(); err != nil {
		return nil, s.explain(err)
	}
	if s.outcome == nil {
		if err := s.wait.untilDone(r.ctx); err != nil {
			return nil, s.explain(err)
		}
	}
	return s.result()
}

// newStep enters the call, claims the name and checks what is to run. The step has
// to be closed.
//
//go:noinline
func (r *Run) newStep(spec *Spec) (_ *step, err error) {
	if err := r.engine.enterCall(); err != nil {
		return nil, err
	}
	s := &step{
		engine:      r.engine,
		run:         r,
		named:       spec.Name != "",
		singlePod:   spec.SinglePod,
		until:       spec.untilOf(),
		containers:  pods.Names(&spec.Job.Template.Spec),
		displayName: spec.DisplayName,
		began:       time.Now(),
	}
	ready := false
	defer func() {
		if !ready {
			s.close()
		}
	}()
	if r.ctx.Err() != nil {
		return nil, endOf(r.ctx)
	}
	if s.name, s.release, err = r.claimName(spec.Name); err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrInvalid, err)
	}
	s.request = &jobs.Request{
		Execution:   r.execution.Execution,
		Owner:       r.execution.Owner,
		Group:       r.engine.Group,
		Step:        s.name,
		Attempt:     r.execution.Attempt,
		DisplayName: spec.DisplayName,
		Description: spec.Description,
		Spec:        *spec.Job,
		Submitted:   spec.Submitted,
		Timeout:     spec.Timeout,
		Labels:      spec.Labels,
		Annotations: spec.Annotations,
	}
	if spec.SinglePod {
		s.request.Failed = singlePodFailed
	}
	if err := s.request.Validate(); err != nil {
		return nil, err
	}
	if spec.Until < UntilContainers || spec.Until > UntilJob {
		return nil, fmt.Errorf("%w: Until %d is unknown", jobs.ErrInvalid, spec.Until)
	}
	ready = true
	return s, nil
}

// singlePodFailed reports whether a record is one of a step whose single pod failed.
func singlePodFailed(r record.Record) bool {
	o := Outcome{Record: r}
	o.decodePods()
	p, err := o.SinglePod()
	return err != nil || !o.SinglePodSucceeded(p)
}

// close ends the call, whatever its result.
func (s *step) close() {
	if s.wait != nil {
		s.wait.end()
		if s.outcome == nil {
			s.run.runs.Invalidate() // the next call must not believe what this one knew
		}
	}
	if s.release != nil {
		s.release(s.outcome != nil)
	}
	s.engine.calls.Done()
}

// result is what the step returns once its Job has ended.
//
//go:noinline
func (s *step) result() (_ *Outcome, err error) {
	if s.outcome == nil {
		ctx, end := s.engine.requestContext(s.run.ctx)
		defer end()
		if s.outcome, err = s.saveOutcome(ctx); err != nil {
			return nil, s.explain(err)
		}
	}
	if s.singlePod {
		if _, err := s.outcome.SinglePod(); err != nil {
			s.outcome = nil // it is not returned
			return nil, s.explain(err)
		}
	}
	return s.outcome, nil
}

//go:noinline
func (s *step) explain(err error) error {
	// A request that was under way says only why the context has ended.
	ctx := s.run.ctx
	if end := ctx.Err(); end != nil && !errors.Is(err, end) && errors.Is(err, context.Cause(ctx)) && !errors.Is(err, ErrNotRunning) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	x := s.run.execution
	return fmt.Errorf("step %q of execution %s/%s: %w", s.name, x.Namespace, x.Name, err)
}

func (s *step) attempt() int { return s.run.execution.Attempt }

func (s *step) execution() identity.Execution { return s.run.execution.Execution }
