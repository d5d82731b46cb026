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
// wait (the functions marked noinline keep it out), and let go before it.
type step struct {
	client      *Client
	ctx         context.Context
	request     *jobs.Request // nil once the Job is there
	execution   identity.Execution
	name        string
	attempt     int
	policy      jobs.Policy
	named       bool
	sole        bool // a RunPod
	unrecorded  bool // the Job is an earlier attempt's, and the plan saw no record on it: see raise
	displayName string
	began       time.Time

	wait *wait
}

// runStep runs a Job to its end, or resumes one that is there already.
func (k *ExecutionContext) runStep(sole bool, opts *StepOptions, spec *batchv1.JobSpec, labels, annotations map[string]string) (o *outcome, err error) {
	ctx, end, err := k.client.begin(k.ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if ctx.Err() != nil {
		return nil, endOf(ctx)
	}
	name, leave, err := k.enter(opts.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	defer func() { leave(err == nil) }()
	s, err := k.newStep(ctx, name, opts, spec, labels, annotations)
	if err != nil {
		return nil, err
	}
	s.sole = sole
	o, err = s.run()
	if err == nil && sole {
		_, err = o.soleResult()
	}
	if err != nil {
		return nil, s.explain(err)
	}
	return o, nil
}

// newStep checks what the step is to run.
//
//go:noinline
func (k *ExecutionContext) newStep(ctx context.Context, name string, opts *StepOptions, spec *batchv1.JobSpec, labels, annotations map[string]string) (*step, error) {
	s := &step{
		client: k.client,
		ctx:    ctx,
		request: &jobs.Request{
			Execution:   k.execution.identity(),
			Owner:       k.execution.Owner,
			Group:       k.client.cfg.Group,
			Step:        name,
			Attempt:     k.execution.Attempts,
			DisplayName: opts.DisplayName,
			Description: opts.Description,
			Spec:        *spec,
			Timeout:     opts.Timeout,
			Labels:      labels,
			Annotations: annotations,
		},
		execution:   k.execution.identity(),
		name:        name,
		attempt:     k.execution.Attempts,
		policy:      k.policy,
		named:       opts.Name != "",
		displayName: opts.DisplayName,
		began:       time.Now(),
	}
	return s, s.request.Validate()
}

//go:noinline
func (s *step) explain(err error) error {
	// A request that was under way says only why the context has ended.
	if end := s.ctx.Err(); end != nil && !errors.Is(err, end) && errors.Is(err, context.Cause(s.ctx)) && !errors.Is(err, ErrNotRunning) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	return fmt.Errorf("step %q of execution %s/%s: %w", s.name, s.execution.Namespace, s.execution.Name, err)
}

func (s *step) run() (*outcome, error) {
	w, err := s.client.newWait(s.report)
	if err != nil {
		return nil, err
	}
	defer w.end()
	s.wait = w

	job, drift, err := s.attach()
	if err != nil {
		return nil, err
	}
	if job.Outcome != "" {
		return s.earlier(job, drift)
	}
	if err := w.forJob(s.ctx, job); err != nil {
		return nil, err
	}
	return s.record(drift)
}

// earlier is the outcome that was recorded before this call.
//
//go:noinline
func (s *step) earlier(job *watch.Job, drift []string) (*outcome, error) {
	o, err := recorded(job.Namespace, job.Name, job.Outcome, s.client.watcher.Pods(job.UID))
	if err != nil {
		return nil, err
	}
	o.drift = drift
	if err := s.raise(o, job.UID); err != nil {
		return nil, err
	}
	if s.wait.observed {
		s.report(o.progress())
	}
	return o, nil
}

// record leaves the outcome on the Job, so that a resume gives the same result
// when pods and logs are gone. Only then is the result given out: the one that
// is on the Job, should another worker have been first.
//
//go:noinline
func (s *step) record(drift []string) (*outcome, error) {
	o := s.wait.outcome(s.attempt)
	o.resumed, o.drift = s.wait.resumed, drift
	if there := s.wait.recorded(); there != "" {
		return s.given(o, there, true)
	}
	text, err := o.encode()
	if err != nil {
		return nil, fmt.Errorf("job %s/%s ended, but its outcome cannot be recorded: %w", o.namespace, o.job, err)
	}
	there, err := s.client.jobs.Record(s.ctx, o.namespace, o.job, s.wait.uid, o.resourceVersion, text)
	switch {
	case errors.Is(err, ErrJobDeleted):
		return o, nil // it had ended, and there is nothing left to record it on
	case err != nil:
		return nil, fmt.Errorf("job %s/%s ended, but its outcome could not be recorded (a resume finds it): %w", o.namespace, o.job, err)
	}
	return s.given(o, there, there != text)
}

// given is what is on the Job, with what this process knows besides. A record may
// say less than o, since it has to fit in an annotation; all readers get the same,
// the one who wrote it among them. other tells that another worker did.
func (s *step) given(o *outcome, there string, other bool) (*outcome, error) {
	first, err := recorded(o.namespace, o.job, there, nil)
	if err != nil {
		return nil, err
	}
	if err := s.raise(first, s.wait.uid); err != nil {
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
