package kontinue

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// step is one call of RunJob, RunPod or RunScript.
//
// Thousands of them wait in a process, each with its stack. What is big, such as
// a spec, is therefore never in the frame of a function that is there during the
// wait (the functions marked noinline keep it out), and let go before it; and the
// contexts of requests are there while there are requests.
type step struct {
	client      *Client
	ctx         context.Context // of the function
	request     *jobs.Request   // nil once the Job is there
	execution   identity.Execution
	name        string
	attempt     int
	policy      jobs.Policy
	named       bool
	sole        bool // a RunPod
	unrecorded  bool // the Job is an earlier attempt's, and the plan saw no record on it: see raise
	displayName string
	began       time.Time

	wait    *wait
	drift   []string
	outcome *outcome          // nil until there is one to give out
	leave   func(result bool) // see enter
}

// runStep runs a Job to its end, or resumes one that is there already.
func (k *ExecutionContext) runStep(sole bool, opts *StepOptions, spec *batchv1.JobSpec, labels, annotations map[string]string) (*outcome, error) {
	s, err := k.newStep(sole, opts, spec, labels, annotations)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.attach(); err != nil {
		return nil, s.explain(err)
	}
	if s.outcome == nil {
		if err := s.wait.forJob(s.ctx); err != nil {
			return nil, s.explain(err)
		}
	}
	return s.result()
}

// newStep admits the call, claims the name and checks what is to run. The step is
// to be closed.
//
//go:noinline
func (k *ExecutionContext) newStep(sole bool, opts *StepOptions, spec *batchv1.JobSpec, labels, annotations map[string]string) (_ *step, err error) {
	if err := k.client.admit(); err != nil {
		return nil, err
	}
	s := &step{
		client:      k.client,
		ctx:         k.ctx,
		execution:   k.execution.identity(),
		attempt:     k.execution.Attempts,
		policy:      k.policy,
		named:       opts.Name != "",
		sole:        sole,
		displayName: opts.DisplayName,
		began:       time.Now(),
	}
	admitted := false
	defer func() {
		if !admitted {
			s.close()
		}
	}()
	if k.ctx.Err() != nil {
		return nil, endOf(k.ctx)
	}
	if s.name, s.leave, err = k.enter(opts.Name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	s.request = &jobs.Request{
		Execution:   s.execution,
		Owner:       k.execution.Owner,
		Group:       k.client.cfg.Group,
		Step:        s.name,
		Attempt:     s.attempt,
		DisplayName: opts.DisplayName,
		Description: opts.Description,
		Spec:        *spec,
		Timeout:     opts.Timeout,
		Labels:      labels,
		Annotations: annotations,
	}
	if err := s.request.Validate(); err != nil {
		return nil, err
	}
	admitted = true
	return s, nil
}

// close ends the call, whatever became of it.
func (s *step) close() {
	if s.wait != nil {
		s.wait.end()
	}
	if s.leave != nil {
		s.leave(s.outcome != nil)
	}
	s.client.calls.Done()
}

// result is what the step gives out once its Job has ended.
//
//go:noinline
func (s *step) result() (_ *outcome, err error) {
	if s.outcome == nil {
		ctx, end := s.client.asking(s.ctx)
		defer end()
		if s.outcome, err = s.record(ctx); err != nil {
			return nil, s.explain(err)
		}
	}
	if s.sole {
		if _, err := s.outcome.soleResult(); err != nil {
			s.outcome = nil // it is not given out
			return nil, s.explain(err)
		}
	}
	return s.outcome, nil
}

//go:noinline
func (s *step) explain(err error) error {
	// A request that was under way says only why the context has ended.
	if end := s.ctx.Err(); end != nil && !errors.Is(err, end) && errors.Is(err, context.Cause(s.ctx)) && !errors.Is(err, ErrNotRunning) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	return fmt.Errorf("step %q of execution %s/%s: %w", s.name, s.execution.Namespace, s.execution.Name, err)
}

// earlier is the outcome that was recorded before this call.
func (s *step) earlier(ctx context.Context, job *watch.Job) (*outcome, error) {
	o, err := recorded(job.Namespace, job.Name, job.Record, s.client.watcher.Pods(job.UID))
	if err != nil {
		return nil, err
	}
	o.drift = s.drift
	if err := s.raise(ctx, o, job.UID); err != nil {
		return nil, err
	}
	if s.wait.observed() {
		s.report(o.progress())
	}
	return o, nil
}

// record leaves the outcome on the Job, so that a resume gives the same result
// when pods and logs are gone. Only then is the result given out: the one that
// is on the Job, should another worker have been first.
func (s *step) record(ctx context.Context) (*outcome, error) {
	o := s.wait.outcome(s.attempt)
	o.resumed, o.drift = s.wait.resumed, s.drift
	if there := s.wait.recorded(); there != "" {
		return s.given(ctx, o, there, true)
	}
	text, err := o.encode()
	if err != nil {
		return nil, fmt.Errorf("job %s/%s ended, but its outcome cannot be recorded: %w", o.namespace, o.job, err)
	}
	there, err := s.client.jobs.Record(ctx, o.namespace, o.job, s.wait.uid, o.resourceVersion, text)
	switch {
	case errors.Is(err, ErrJobDeleted):
		return o, nil // it had ended, and there is nothing left to record it on
	case err != nil:
		return nil, fmt.Errorf("job %s/%s ended, but its outcome could not be recorded (a resume finds it): %w", o.namespace, o.job, err)
	}
	return s.given(ctx, o, there, there != text)
}

// given is what is on the Job, with what this process knows besides. A record may
// say less than o, since it has to fit in an annotation; all readers get the same,
// the one who wrote it among them. other tells that another worker did.
func (s *step) given(ctx context.Context, o *outcome, there string, other bool) (*outcome, error) {
	first, err := recorded(o.namespace, o.job, there, nil)
	if err != nil {
		return nil, err
	}
	if err := s.raise(ctx, first, s.wait.uid); err != nil {
		return nil, err
	}
	first.resumed = o.resumed || other
	first.objects, first.drift = o.objects, o.drift
	first.complete(o.pods)
	return first, nil
}

// report tells Config.OnProgress where the step stands.
func (s *step) report(p Progress) {
	p.Namespace, p.Execution = s.execution.Namespace, s.execution.Name
	p.Step, p.DisplayName = s.name, s.displayName
	p.Elapsed = time.Since(s.began)
	s.client.cfg.OnProgress(p)
}

// endOf tells how a context ended and, where one was given, why.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) && !errors.Is(cause, ErrNotRunning) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return context.Cause(ctx)
}
