package step

import (
	"context"
	"errors"
	"fmt"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// Finish sets the TTL of the Execution's Jobs: that of their own spec, which was held
// back, or else ttl, in seconds. Nil leaves a Job without a TTL. A Job that has its
// record and is still running ends by itself, most often within two seconds; a deadline
// bounds that.
func (e *Engine) Finish(ctx context.Context, execution identity.Execution, ttl *int32) error {
	return e.forEachJob(ctx, execution, func(ctx context.Context, job *batchv1.Job) error {
		metadata := identity.MetadataOf(job)
		known := watch.NewJob(job)
		e.Clock.observeJob(known)
		var deadline *int64
		if record.Readable(metadata.Record) && !jobs.StatusOf(job).Terminal {
			if known.Suspended { // its deadline does not count
				if err := e.Jobs.Cancel(ctx, job.Namespace, job.Name, job.UID); err != nil {
					return err
				}
			}
			deadline = e.Clock.deadline(job.CreationTimestamp, job.Status.StartTime, openGrace(known), job.Spec.ActiveDeadlineSeconds)
		}
		seconds := metadata.TTLSeconds
		if seconds == nil {
			seconds = ttl
		}
		if have := job.Spec.TTLSecondsAfterFinished; have != nil && seconds != nil && *have == *seconds {
			seconds = nil
		}
		return e.Jobs.Retire(ctx, job.Namespace, job.Name, job.UID, seconds, deadline)
	})
}

// Cancel stops the Execution's Jobs that have not ended, also those that were stopped
// and changed since. One that has its record keeps it. No other run follows one that has
// failed.
func (e *Engine) Cancel(ctx context.Context, execution identity.Execution) error {
	bounded, end := e.requestContext(ctx)
	release, err := e.retrying.hold(bounded, execution.UID)
	end()
	if err != nil {
		return err
	}
	defer release()
	return e.cancel(ctx, execution, func(*batchv1.Job) bool { return true })
}

// cancel stops those of the Execution's Jobs for which those holds.
func (e *Engine) cancel(ctx context.Context, execution identity.Execution, those func(*batchv1.Job) bool) error {
	return e.forEachJob(ctx, execution, func(ctx context.Context, job *batchv1.Job) error {
		terminal := jobs.Classify(&job.Status).Terminal
		switch {
		case !those(job):
			return nil
		case !terminal && !jobs.Stopped(job):
			return e.Jobs.Cancel(ctx, job.Namespace, job.Name, job.UID)
		case mayBeFollowed(job, terminal):
			return e.Jobs.CancelEnded(ctx, job.Namespace, job.Name, job.UID)
		}
		return nil
	})
}

// mayBeFollowed reports whether a step that runs again after failures could create a run after
// this Job, which has ended or was given up. The Job does not say whether the step does.
func mayBeFollowed(job *batchv1.Job, terminal bool) bool {
	m := identity.MetadataOf(job)
	if m.CancelRequested {
		return false
	}
	r, err := record.Decode(m.Record)
	if err != nil { // it has none yet
		return !terminal || jobs.Classify(&job.Status).Failed
	}
	return r.Failed || len(r.Pods) > 0 && singlePodFailed(r)
}

// forEachJob calls do for each of the Execution's Jobs, and again for all when creates
// that were under way may have added to them. The API server may hold a create up for
// longer than the call that sent it has waited.
func (e *Engine) forEachJob(ctx context.Context, execution identity.Execution, do func(context.Context, *batchv1.Job) error) error {
	ctx, end, err := e.beginCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	undecided := e.Jobs.Undecided(execution.UID)
	if err := e.forEachListed(ctx, execution, do); err != nil || len(undecided) == 0 {
		return err
	}
	if err := undecided.Wait(ctx); err != nil {
		return err
	}
	return e.forEachListed(ctx, execution, do)
}

// forEachListed reads the Execution's Jobs and calls do for each, a few at a time. It is
// not an error if a Job is deleted meanwhile.
func (e *Engine) forEachListed(ctx context.Context, execution identity.Execution, do func(context.Context, *batchv1.Job) error) error {
	list, err := e.Jobs.List(ctx, execution.Namespace, identity.ExecutionSelector(execution.UID))
	if err != nil {
		return err
	}
	work := make(chan *batchv1.Job)
	errs := make([]error, min(len(list), jobWorkers))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for job := range work {
				if err := do(ctx, job); err != nil && !errors.Is(err, jobs.ErrJobDeleted) {
					errs[i] = errors.Join(errs[i], err)
				}
			}
		})
	}
	var foreign error
	for i := range list {
		// A copy with the same labels does not belong to the Execution.
		owner := metav1.GetControllerOfNoCopy(&list[i])
		if owner == nil || owner.UID != execution.UID {
			continue
		}
		if group := identity.MetadataOf(&list[i]).Group; group != e.Group {
			foreign = errors.Join(foreign, fmt.Errorf("%w: job %s/%s belongs to worker group %q, not %q",
				jobs.ErrNameConflict, list[i].Namespace, list[i].Name, group, e.Group))
			continue
		}
		work <- &list[i]
	}
	close(work)
	wg.Wait()
	return errors.Join(errors.Join(errs...), foreign)
}

// jobWorkers is how many Jobs Finish and Cancel patch at a time.
const jobWorkers = 16
