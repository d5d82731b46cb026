package step

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// adoptOrCreate finds or creates the Job, releases what made it unless it may be needed
// again, and begins the wait or the back-off unless the record is on the Job already.
func (s *Step) adoptOrCreate(ctx context.Context, runs *jobs.Runs) error {
	ctx, end := s.engine.requestContext(ctx)
	defer end()
	wait, err := s.engine.newWait(s.attempt(), s.until, s.limits, s.report, s.wake)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.wait != nil {
		wait.namespace, wait.name = s.wait.namespace, s.wait.name // the newest one that is known
	}
	s.wait, wait.logs, wait.followed = wait, s.followers, s.retries != nil
	s.mu.Unlock()
	x := s.run.execution
	cached := s.engine.Watcher.Jobs(x.Namespace, x.UID, s.name)
	got, err := s.engine.Jobs.Acquire(ctx, s.request, x.Policy, runs, found(cached))
	if err != nil {
		return err
	}
	resumed := got.Adopted
	if s.sawEndOf(got.Run.UID) {
		resumed = s.retries.last.Resumed // this call may have created it
	}
	s.mu.Lock()
	wait.jobRef = jobRef{x.Namespace, got.Run.Name, got.Run.UID, resumed}
	s.mu.Unlock()
	if got.Run.Recorded {
		s.leaveRoom() // the watch need not show it any more
	}
	if len(got.Drift) > 0 && !s.named {
		return s.specDrift(got.Run.Name, got.Drift)
	}
	s.drift, s.mutations, s.runs = got.Drift, got.Mutations, got.Runs
	if len(got.Drift) > 0 {
		s.engine.Logger.WarnContext(ctx, "adopted a job that was made from another spec",
			"namespace", x.Namespace, "job", got.Run.Name, "step", s.name, "drift", got.Drift)
	}
	s.number, s.parent = got.Run.Number, got.Run.TraceParent
	secret, err := s.engine.Jobs.EnsureSecret(ctx, s.request, got)
	if err != nil {
		return err
	}
	wait.future.Do(func() { wait.state.ready = secret })
	s.inherited = x.Policy != jobs.None && got.Run.Attempt < x.Attempt && !got.Run.Recorded
	if !s.inherited && s.retries == nil {
		s.request = nil
	}
	if got.Run.Recorded {
		return s.takeRecorded(wait, got)
	}
	s.endPause()
	var job *watch.Job
	if got.Job != nil {
		job = watch.NewJob(got.Job)
	}
	if err := wait.begin(job); err != nil {
		return err
	}
	s.noticeStarted()
	return nil
}

// takeRecorded takes a run that has its record: for the result, or for the one that another
// run follows.
func (s *Step) takeRecorded(wait *wait, got jobs.Acquired) (err error) {
	switch {
	case !got.Until.IsZero():
		s.backOff(got)
		return wait.future.Bind(got.Run.UID) // so that the end of the engine wakes the step
	case s.sawEndOf(got.Run.UID):
		s.outcome = s.retries.last
	default:
		s.noticeStarted()
		s.outcome, err = s.storedOutcome(got.Run)
	}
	s.endPause()
	return err
}

// found is what the plan needs of the cached Jobs.
func found(cached []*watch.Job) []jobs.Found {
	var all []jobs.Found
	for _, j := range cached {
		status := jobs.Classify(&j.Status).Held(j.Stopped(), j.Suspended)
		all = append(all, jobs.Found{
			Name: j.Name, UID: j.UID, OwnerUID: j.OwnerUID, Metadata: j.Metadata, Contents: j.Contents,
			Terminal: status.Terminal, Failed: status.Failed, Deleting: j.DeletionTimestamp != nil,
		})
	}
	return all
}

// specDrift is the error of an unnamed step that would take the result of a Job that was
// made from another spec.
func (s *Step) specDrift(job string, drift []string) error {
	err := fmt.Errorf("%w: job %s/%s: the step has no Name, so its place in the function may be another step's now; give each step a StepOptions.Name, or run the function as it was",
		ErrSpecDrift, s.execution().Namespace, job)
	for _, line := range drift {
		err = fmt.Errorf("%w\n\t%s", err, line)
	}
	return err
}
