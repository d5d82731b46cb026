package step

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
)

// storedOutcome is the outcome that was recorded before this call.
func (s *step) storedOutcome(run jobs.Run) (*Outcome, error) {
	o, err := decode(s.execution().Namespace, run.Name, run.Record, s.engine.Watcher.Pods(s.execution().Namespace, run.UID))
	if err != nil {
		return nil, err
	}
	o.Drift, o.Mutations = s.drift, s.mutations
	if s.wait.observed() {
		s.report(o.progress())
	}
	return o, nil
}

// saveOutcome records the outcome on the Job, so that a resume returns the same result
// when pods and logs are gone. Only then is the result returned: the one that
// is on the Job, should another worker have been first.
func (s *step) saveOutcome(ctx context.Context) (*Outcome, error) {
	o := s.wait.outcome(s.attempt())
	o.Resumed, o.Drift, o.Mutations = s.wait.resumed, s.drift, s.mutations
	if stored := s.wait.record(); stored != "" {
		return s.mergeStored(ctx, o, stored, true)
	}
	text, err := o.encode()
	if err != nil {
		return nil, fmt.Errorf("job %s/%s ended, but its outcome cannot be recorded: %w", o.Namespace, o.Job, err)
	}
	stored, err := s.engine.Jobs.SaveRecord(ctx, o.Namespace, o.Job, s.wait.uid, text)
	switch {
	case errors.Is(err, jobs.ErrJobDeleted):
		return o, nil // it had ended, and there is nothing left to record it on
	case err != nil:
		return nil, fmt.Errorf("job %s/%s ended, but its outcome could not be recorded (a resume finds it): %w", o.Namespace, o.Job, err)
	case !record.Readable(stored):
		s.engine.Logger.WarnContext(ctx, "job has a record of a later version, which is left as it is", "namespace", o.Namespace, "job", o.Job)
		return o, nil
	}
	return s.mergeStored(ctx, o, stored, stored != text)
}

// mergeStored returns the recorded outcome, completed with what only this process
// still holds. A record may say less than o, since it has to fit in an annotation; all
// readers get the same, the one who wrote it among them. byOther says that another
// worker recorded it.
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
	return first, nil
}

// restampRecord re-stamps a result that an earlier attempt has recorded with the
// current attempt, before it is returned in it.
//
// The child policy takes a run that was recorded in an earlier attempt for one that
// this attempt was never given, and may run the step again. That is right when the
// record existed at the time of the plan. But a run that this attempt has adopted
// without one, since it still ran or was given to no one, may be recorded by a
// worker of the earlier attempt that is still alive. If that record stayed as it
// is, a worker that crashes after its function has got the result would find on its
// resume a failure of the earlier attempt, and run again what this attempt has
// already had.
//
// Only the attempt in the record changes, and only upwards: every reader gets the
// same outcome, and of several workers that re-stamp it, of this attempt or of others,
// the highest attempt stays. A Job that is gone has nothing to re-stamp, and nothing
// that a resume could mistake. A step whose plan knew the record, or which no other
// attempt records, costs no request here.
//
//go:noinline
func (s *step) restampRecord(ctx context.Context, o *Outcome, uid types.UID) error {
	if !s.restamp || o.Attempt >= s.attempt() {
		return nil
	}
	err := s.engine.Jobs.UpdateRecord(ctx, o.Namespace, o.Job, uid, func(stored string) (string, error) {
		return record.Restamp(stored, s.attempt())
	})
	if err != nil && !errors.Is(err, jobs.ErrJobDeleted) {
		return fmt.Errorf("job %s/%s ended in attempt %d, and cannot be made a result of attempt %d (a resume may run the step again): %w",
			o.Namespace, o.Job, o.Attempt, s.attempt(), err)
	}
	return nil
}
