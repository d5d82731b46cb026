package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
)

// storedOutcome returns the outcome that was recorded before this call.
func (s *Step) storedOutcome(run jobs.Run) (*Outcome, error) {
	o, err := decode(s.execution().Namespace, run.Name, run.Record, s.engine.Watcher.Pods(s.execution().Namespace, run.UID))
	if err != nil {
		return nil, err
	}
	o.Drift, o.Mutations = s.drift, s.mutations
	o.markInjected(s.containers)
	return o, nil
}

// saveOutcome records the outcome on the Job, so that a resume returns the same result
// when pods and logs are gone. The result is returned only after that. If another
// worker was first, it is the one on the Job.
func (s *Step) saveOutcome(ctx context.Context) (*Outcome, error) {
	o := s.wait.ended
	o.Resumed, o.Drift, o.Mutations = s.wait.resumed, s.drift, s.mutations
	o.markInjected(s.containers)
	if s.wait.text != "" {
		return s.mergeStored(o, s.wait.text, true)
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
		// whose result no caller got, and never run the step again.
		return nil, fmt.Errorf("job %s/%s ended (%s), but the cluster refuses to record its outcome, which is withheld until then: correct what is named below and resume: %w",
			o.Namespace, o.Job, o.Text(), err)
	case !record.Readable(stored):
		s.engine.Logger.WarnContext(ctx, "job has a record of a later version, which is left as it is", "namespace", o.Namespace, "job", o.Job)
		return o, nil
	}
	s.engine.Watcher.Recorded(o.Namespace, o.Job, s.wait.uid, version)
	s.engine.Room.changed()
	return s.mergeStored(o, stored, stored != text)
}

// errEarlierAttempt means that a worker of an earlier attempt has recorded the run that
// this step has waited for, and that the step has to plan again.
//
// The attempt in the record says in which attempts the result was returned, and decides
// whether the child policy runs the step again. All workers of this attempt must decide
// by the same record, also those that begin after it was written. If this one returned
// the result nevertheless, another one could run the step again in the same attempt.
var errEarlierAttempt = errors.New("an earlier attempt has recorded the result")

// mergeStored returns the recorded outcome, completed with what only this process
// still holds. A record may contain less than o, since it has to fit in an annotation.
// All readers get the same outcome, including the worker that wrote it. byOther means
// that another worker recorded it.
func (s *Step) mergeStored(o *Outcome, stored string, byOther bool) (*Outcome, error) {
	first, err := decode(o.Namespace, o.Job, stored, nil)
	if err != nil {
		return nil, err
	}
	if s.inherited && first.Attempt < s.attempt() {
		return nil, errEarlierAttempt
	}
	first.Resumed, first.Known = o.Resumed || byOther, byOther
	first.objects, first.Drift, first.Mutations, first.recorded = o.objects, o.Drift, o.Mutations, true
	first.complete(o.Pods)
	first.markInjected(s.containers)
	return first, nil
}
