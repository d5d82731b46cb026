package kontinue

import (
	"context"
	"fmt"
	"slices"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// attach finds or creates the Job, lets go of what made it, and begins the wait
// unless the outcome is on the Job already.
//
//go:noinline
func (s *step) attach() error {
	ctx, end := s.client.asking(s.ctx)
	defer end()
	wait, err := s.client.newWait(s.report)
	if err != nil {
		return err
	}
	s.wait = wait
	job, drift, err := s.find(ctx)
	if err != nil {
		return err
	}
	s.request, s.drift = nil, drift
	if job.Record == "" {
		return wait.begin(job)
	}
	s.outcome, err = s.earlier(ctx, job)
	return err
}

// find returns the Job that this step waits for: its own from an earlier run
// of the function, or a new one. The cache may say that a Job exists, never
// that it does not.
func (s *step) find(ctx context.Context) (job *watch.Job, drift []string, err error) {
	r := s.request
	cached := s.own(s.client.watcher.Jobs(r.Execution.UID, r.Step))
	if r.Attempt > 0 && s.policy != jobs.None && !s.certain(cached) {
		// Which run counts depends on all that exist, and the newest may not have
		// reached the cache.
		list, err := s.client.jobs.List(ctx, r.Execution.Namespace, identity.StepSelector(r.Group, r.Execution.UID, r.Step))
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
				s.unrecorded = s.policy != jobs.None && s.runOf(j) < s.attempt && !decision.Adopt.Recorded
				drift, err := s.specDrift(ctx, j)
				if err != nil {
					return nil, nil, err
				}
				return s.newest(ctx, j), drift, nil
			}
		}
	}
	for _, run := range decision.Remove {
		if err := s.client.jobs.Delete(ctx, r.Execution.Namespace, run.Name, run.UID); err != nil {
			return nil, nil, err
		}
	}
	r.Run = decision.Create
	ensured, err := s.client.jobs.Ensure(ctx, r)
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
		_, ok := identity.RunOf(r.Execution, r.Step, j.Name)
		return j.OwnerUID != r.Owner.UID || !ok
	})
}

func (s *step) runOf(j *watch.Job) int {
	run, _ := identity.RunOf(s.request.Execution, s.request.Step, j.Name)
	return run
}

// newest looks again at a Job that has ended and has no outcome in the cache: the
// PATCH that recorded it, by this process or another, may still be on its way
// here, and the pods may be gone. A read that fails leaves the cached state,
// which is good enough: Record looks again.
func (s *step) newest(ctx context.Context, cached *watch.Job) *watch.Job {
	if cached.Record != "" || !jobs.Classify(&cached.Status).Terminal {
		return cached
	}
	live, err := s.client.jobs.Get(ctx, cached.Namespace, cached.Name)
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
			Name: j.Name, UID: j.UID, Run: s.runOf(j),
			Terminal: status.Terminal, Failed: status.Failed, Deleting: j.DeletionTimestamp != nil,
		}
		if j.Record != "" {
			run.Recorded = true
			if o, err := recorded(j.Namespace, j.Name, j.Record, nil); err == nil {
				run.RecordedAttempt = o.Attempt
				run.Failed = run.Failed || s.sole && !o.succeeded()
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

// specDrift compares the spec of a cached Job with the one of this call, by their
// hashes; only when they differ is the Job read to say how.
func (s *step) specDrift(ctx context.Context, job *watch.Job) ([]string, error) {
	if job.SpecHash == identity.SpecHash(&s.request.Spec) {
		return nil, nil
	}
	s.request.Run = s.runOf(job)
	submitted, err := s.request.Build()
	if err != nil {
		return nil, err
	}
	live, err := s.client.jobs.Get(ctx, job.Namespace, job.Name)
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
