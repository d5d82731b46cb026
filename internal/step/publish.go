package step

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
)

// storedOutcome returns the outcome that was recorded before this call.
func (s *step) storedOutcome(run jobs.Run) (*Outcome, error) {
	o, err := decode(s.execution().Namespace, run.Name, run.Record, s.engine.Watcher.Pods(s.execution().Namespace, run.UID))
	if err != nil {
		return nil, err
	}
	o.Drift, o.Mutations = s.drift, s.mutations
	o.markInjected(s.containers)
	if s.wait.observed() {
		s.report(o.progress())
	}
	return o, nil
}

// saveOutcome records the outcome on the Job, so that a resume returns the same result
// when pods and logs are gone. The result is returned only after that. If another
// worker was first, it is the one on the Job.
func (s *step) saveOutcome(ctx context.Context) (*Outcome, error) {
	o := s.wait.ended
	o.Resumed, o.Drift, o.Mutations = s.wait.resumed, s.drift, s.mutations
	o.markInjected(s.containers)
	if s.wait.text != "" {
		return s.mergeStored(ctx, o, s.wait.text, true)
	}
	text, err := o.encode()
	if err != nil {
		return nil, fmt.Errorf("job %s/%s ended, but its outcome cannot be recorded: %w", o.Namespace, o.Job, err)
	}
	stored, version, err := s.engine.Jobs.SaveRecord(ctx, o.Namespace, o.Job, s.wait.uid, text, s.wait.deadline(o))
	switch {
	case errors.Is(err, jobs.ErrJobDeleted):
		return o, nil // it had ended, and there is nothing left to record it on
	case ctx.Err() != nil:
		return nil, fmt.Errorf("job %s/%s ended, but its outcome could not be recorded (a resume finds it): %w", o.Namespace, o.Job, err)
	case err != nil:
		// It is not returned: without a record a later attempt would take the run for one
		// that was returned to nobody, and never run the step again.
		return nil, fmt.Errorf("job %s/%s ended (%s), but the cluster refuses to record its outcome, which is withheld until then: correct what is named below and resume: %w",
			o.Namespace, o.Job, o.Text(), err)
	case !record.Readable(stored):
		s.engine.Logger.WarnContext(ctx, "job has a record of a later version, which is left as it is", "namespace", o.Namespace, "job", o.Job)
		return o, nil
	}
	s.engine.Watcher.Recorded(o.Namespace, o.Job, s.wait.uid, version)
	return s.mergeStored(ctx, o, stored, stored != text)
}

// mergeStored returns the recorded outcome, completed with what only this process
// still holds. A record may contain less than o, since it has to fit in an annotation.
// All readers get the same outcome, including the worker that wrote it. byOther means
// that another worker recorded it.
func (s *step) mergeStored(ctx context.Context, o *Outcome, stored string, byOther bool) (*Outcome, error) {
	first, err := decode(o.Namespace, o.Job, stored, nil)
	if err != nil {
		return nil, err
	}
	if err := s.restampRecord(ctx, first, s.wait.uid); err != nil {
		return nil, err
	}
	first.Resumed = o.Resumed || byOther
	first.objects, first.Drift, first.Mutations = o.objects, o.Drift, o.Mutations
	first.complete(o.Pods)
	first.markInjected(s.containers)
	return first, nil
}

// restampRecord re-stamps a result that an earlier attempt has recorded with the
// current attempt, before it is returned in it.
//
// The child policy assumes that this attempt has not returned the result of a run that
// was recorded in an earlier attempt, and may run the step again. That is right if the
// record existed at the time of the plan. But a run without a record that this attempt
// has adopted may be recorded by a worker of the earlier attempt that is still alive.
// If that record remained unchanged and the worker crashed after its function received
// the result, a resume would find a failure of the earlier attempt and run the step
// again, although this attempt has already returned its result.
//
// Only the attempt in the record changes, and it only grows: every reader gets the same
// outcome, and if several workers of any attempts re-stamp it, the highest attempt
// stays. A Job that is gone has no record to re-stamp or to misread. A step whose plan
// knew the record, or which no other attempt records, costs no request here.
//
//go:noinline
func (s *step) restampRecord(ctx context.Context, o *Outcome, uid types.UID) error {
	if !s.restamp || o.Attempt >= s.attempt() {
		return nil
	}
	err := s.engine.Jobs.UpdateRecord(ctx, o.Namespace, o.Job, uid, func(stored string) (string, error) {
		return raise(stored, s.attempt())
	})
	if err != nil && !errors.Is(err, jobs.ErrJobDeleted) {
		return fmt.Errorf("job %s/%s ended in attempt %d, and cannot be made a result of attempt %d (a resume may run the step again): %w",
			o.Namespace, o.Job, o.Attempt, s.attempt(), err)
	}
	return nil
}

// raise re-stamps the text of a record. One that was edited so that its attempt cannot
// be replaced is written anew, and one that cannot be read is none.
func raise(stored string, attempt int) (string, error) {
	text, err := record.Restamp(stored, attempt)
	if err == nil {
		return text, nil
	}
	r, err := record.Decode(stored)
	if err != nil || r.Attempt >= attempt {
		return stored, nil //nolint:nilerr // there is nothing to raise
	}
	r.Attempt = attempt
	return r.Encode()
}
