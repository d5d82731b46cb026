package step

import (
	"fmt"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// adoptOrCreate finds or creates the Job, releases what made it, and begins the wait
// unless the record is on the Job already.
//
//go:noinline
func (s *step) adoptOrCreate() error {
	ctx, end := s.engine.requestContext(s.run.ctx)
	defer end()
	wait, err := s.engine.newWait(s.attempt(), s.until, s.report)
	if err != nil {
		return err
	}
	s.wait = wait
	x := s.run.execution
	cached := s.engine.Watcher.Jobs(x.Namespace, x.UID, s.name)
	got, err := s.engine.Jobs.Acquire(ctx, s.request, x.Policy, s.run.runs, found(cached))
	if err != nil {
		return err
	}
	if len(got.Drift) > 0 && !s.named {
		return s.specDrift(got.Run.Name, got.Drift)
	}
	s.request, s.drift, s.mutations = nil, got.Drift, got.Mutations
	wait.resumed = got.Adopted
	s.restamp = x.Policy != jobs.None && got.Run.Attempt < x.Attempt && !got.Run.Recorded
	if got.Run.Recorded {
		s.outcome, err = s.storedOutcome(got.Run)
		return err
	}
	var job *watch.Job
	if got.Job != nil {
		job = watch.NewJob(got.Job)
	}
	return wait.begin(x.Namespace, got.Run.Name, got.Run.UID, job)
}

// found is what the plan needs of the cached Jobs.
func found(cached []*watch.Job) []jobs.Found {
	var all []jobs.Found
	for _, j := range cached {
		status := jobs.Classify(&j.Status).Held(j.Canceled, j.Suspended)
		all = append(all, jobs.Found{
			Name: j.Name, UID: j.UID, OwnerUID: j.OwnerUID, Metadata: j.Metadata,
			Terminal: status.Terminal, Failed: status.Failed, Deleting: j.DeletionTimestamp != nil,
		})
	}
	return all
}

// specDrift is the error of an unnamed step that would take the result of a Job that was
// made from another spec.
func (s *step) specDrift(job string, drift []string) error {
	err := fmt.Errorf("%w: job %s/%s: the step has no Name, so its place in the function may be another step's now; give each step a StepOptions.Name, or run the function as it was",
		ErrSpecDrift, s.execution().Namespace, job)
	for _, line := range drift {
		err = fmt.Errorf("%w\n\t%s", err, line)
	}
	return err
}
