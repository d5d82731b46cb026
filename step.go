package kontinue

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	displayName string
	began       time.Time

	wait *wait
}

// runStep runs a Job to its end, or resumes one that is there already.
func (k *ExecutionContext) runStep(opts *StepOptions, spec *batchv1.JobSpec, labels, annotations map[string]string) (o *outcome, err error) {
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
	if o, err = s.run(); err != nil {
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
	if s.wait.observed {
		s.report(o.progress())
	}
	return o, nil
}

// attach returns the Job that this step waits for, and lets go of what made it.
//
//go:noinline
func (s *step) attach() (*watch.Job, []string, error) {
	defer func() { s.request = nil }()
	return s.find()
}

// find returns the Job that this step waits for: its own from an earlier run
// of the function, or a new one. The cache may say that a Job exists, never
// that it does not.
func (s *step) find() (job *watch.Job, drift []string, err error) {
	r := s.request
	cached := s.own(s.client.watcher.Jobs(r.Execution.UID, r.Step))
	if r.Attempt > 0 && s.policy != jobs.None && !s.certain(cached) {
		// Which run counts depends on all that exist, and the newest may not have
		// reached the cache.
		list, err := s.client.jobs.List(s.ctx, r.Execution.Namespace, identity.StepSelector(r.Group, r.Execution.UID, r.Step))
		if err != nil {
			return nil, nil, err
		}
		cached = cached[:0:0]
		for i := range list {
			cached = append(cached, watch.NewJob(&list[i]))
		}
		cached = s.own(cached)
	}
	decision := s.plan(cached)
	if decision.Adopt != nil {
		for _, j := range cached {
			if j.UID == decision.Adopt.UID {
				s.wait.resumed = true
				drift, err := s.drift(j)
				if err != nil {
					return nil, nil, err
				}
				return s.newest(j), drift, nil
			}
		}
	}
	for _, run := range decision.Remove {
		if err := s.client.jobs.Delete(s.ctx, r.Execution.Namespace, run.Name, run.UID); err != nil {
			return nil, nil, err
		}
	}
	r.Run = decision.Create
	submitted, err := r.Build()
	if err != nil {
		return nil, nil, err
	}
	ensured, err := s.client.jobs.Ensure(s.ctx, submitted)
	if err != nil {
		return nil, nil, err
	}
	s.wait.resumed = ensured.Adopted
	return watch.NewJob(ensured.Job), ensured.Drift, s.checkDrift(ensured.Job.Name, ensured.Drift)
}

// own leaves out the Jobs that carry this step's labels and are not its own, such
// as a copy that somebody made by hand: another object, or nothing, controls
// them, or their name is not the one that their run would have.
func (s *step) own(labelled []*watch.Job) []*watch.Job {
	r := s.request
	return slices.DeleteFunc(labelled, func(j *watch.Job) bool {
		return j.OwnerUID != r.Owner.UID || j.Name != identity.JobName(r.Execution, r.Step, j.Run)
	})
}

// newest looks again at a Job that has ended and has no outcome in the cache: the
// PATCH that recorded it, by this process or another, may still be on its way
// here, and the pods may be gone. A read that fails leaves the cached state,
// which is good enough: Record looks again.
func (s *step) newest(cached *watch.Job) *watch.Job {
	if cached.Outcome != "" || !jobs.Classify(&cached.Status).Terminal {
		return cached
	}
	live, err := s.client.jobs.Get(s.ctx, cached.Namespace, cached.Name)
	if err != nil {
		return cached
	}
	if job := watch.NewJob(live); job.UID == cached.UID {
		return job
	}
	return cached
}

// plan asks the child policy which of the Jobs counts.
func (s *step) plan(existing []*watch.Job) jobs.Decision {
	runs := make([]jobs.Run, 0, len(existing))
	for _, j := range existing {
		status := jobs.Classify(&j.Status)
		run := jobs.Run{
			Name: j.Name, UID: j.UID, Run: j.Run,
			Terminal: status.Terminal, Failed: status.Failed, Deleting: j.DeletionTimestamp != nil,
		}
		if j.Outcome != "" {
			run.Recorded = true
			if o, err := recorded(j.Namespace, j.Name, j.Outcome, nil); err == nil {
				run.RecordedAttempt = o.Attempt
			}
		}
		runs = append(runs, run)
	}
	return s.policy.Plan(s.attempt, runs)
}

// certain reports that what is missing from the cache cannot change the plan:
// the run of this attempt is there already, or one that succeeded, after which
// RetryFailed makes no other.
func (s *step) certain(cached []*watch.Job) bool {
	run := s.plan(cached).Adopt
	return run != nil && (run.Run == s.attempt ||
		s.policy == jobs.RetryFailed && run.Recorded && run.Terminal && !run.Failed)
}

// drift compares the spec of a cached Job with the one of this call, by their
// hashes; only when they differ is the Job read to say how.
func (s *step) drift(job *watch.Job) ([]string, error) {
	if job.SpecHash == identity.SpecHash(&s.request.Spec) {
		return nil, nil
	}
	s.request.Run = job.Run
	submitted, err := s.request.Build()
	if err != nil {
		return nil, err
	}
	live, err := s.client.jobs.Get(s.ctx, job.Namespace, job.Name)
	if err != nil {
		return nil, err
	}
	drift := jobs.Drift(live, submitted)
	return drift, s.checkDrift(job.Name, drift)
}

// checkDrift refuses to let an unnamed step take the result of a Job that was
// made from another spec.
func (s *step) checkDrift(job string, drift []string) error {
	if len(drift) == 0 || s.named {
		return nil
	}
	err := fmt.Errorf("%w: job %s/%s: the step has no Name, so its place in the function may be another step's now; give each step a StepOptions.Name, or run the function as it was",
		ErrSpecDrift, s.execution.Namespace, job)
	for _, line := range drift {
		err = fmt.Errorf("%w\n\t%s", err, line)
	}
	return err
}

// record leaves the outcome on the Job, so that a resume gives the same result
// when pods and logs are gone. Only then is the result given out: the one that
// is on the Job, should another worker have been first.
//
//go:noinline
func (s *step) record(drift []string) (*outcome, error) {
	o := s.wait.outcome(s.attempt)
	o.resumed, o.drift = s.wait.resumed, drift
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
	// A record may say less than o, since it has to fit in an annotation. What is
	// given out is the record also by the one who wrote it: all readers get the
	// same.
	first, err := recorded(o.namespace, o.job, there, nil)
	if err != nil {
		return nil, err
	}
	first.resumed = o.resumed || there != text
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
