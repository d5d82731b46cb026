package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// checkMissing runs when the watch cannot say what has become of the Job. A running Job
// does not wake the waiter, so it looks again first.
func (w *wait) checkMissing(ctx context.Context) error {
	var shown bool
	w.future.Do(func() { shown = w.state.watched && w.state.decision() != unobserved })
	if shown {
		return nil
	}
	ctx, end := w.engine.requestContext(ctx)
	defer end()
	_, err := w.readJob(ctx)
	if err == nil {
		w.unauthorized = 0
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return errStillRunning(w.namespace, w.name, endOf(ctx))
	case w.refused(err):
		return fmt.Errorf("%w: job %s/%s (UID %s) had not ended and has left the watch, or is being deleted, and the API server does not let this worker read it, as when its namespace and its account are deleted: %w",
			jobs.ErrJobDeleted, w.namespace, w.name, w.uid, err)
	case permanent(err):
		return err
	default:
		w.engine.Logger.WarnContext(ctx, "job cannot be read yet", "namespace", w.namespace, "job", w.name, "error", err)
	}
	w.pause = min(2*w.pause, confirmMax)
	return nil
}

// readJob reads the Job and updates the state. If the API server does not respond, the
// state remains unchanged. A label without a record, which hides the Job from the
// watch, is removed. The Job is nil if none has the name.
func (w *wait) readJob(ctx context.Context) (*batchv1.Job, error) {
	bounded, cancel := context.WithTimeout(ctx, confirmAfter)
	defer cancel()
	var deletions int
	w.future.Do(func() { deletions = w.state.deletions })
	live, err := w.engine.Jobs.Get(bounded, w.namespace, w.name)
	if apierrors.IsNotFound(err) {
		w.future.Do(func() { w.state.read(nil, w.uid, deletions) })
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	job := watch.NewJob(live)
	w.engine.Clock.observeJob(job)
	w.future.Do(func() { w.state.read(job, w.uid, deletions) })
	w.engine.Logger.DebugContext(ctx, "read job that the watch does not show", "namespace", w.namespace, "job", w.name)
	if job.UID == w.uid && job.RecordedLabel && !record.Readable(job.Record) {
		if err := w.engine.Jobs.Unlabel(bounded, w.namespace, w.name, w.uid); err != nil && !errors.Is(err, jobs.ErrJobDeleted) {
			return nil, err
		}
	}
	return live, nil
}

// permanent reports whether a response of the API server will not change by itself.
func permanent(err error) bool {
	var failure *jobs.APIError
	return errors.As(err, &failure) && !failure.Transient()
}

// refused reports whether the fate of a Job that the watch no longer shows cannot be
// determined: the right to read it is gone, or the credentials have been invalid for
// longer than it takes to renew a token.
func (w *wait) refused(err error) bool {
	missing := false
	w.future.Do(func() { missing = w.state.decision() == unobserved })
	switch {
	case !missing:
		return false
	case apierrors.IsUnauthorized(err):
		w.unauthorized++
		return w.unauthorized > maxUnauthorized
	default:
		return apierrors.IsForbidden(err)
	}
}

// listPods determines with a consistent LIST which pods of the ended Job exist. After
// it, the step only waits for pods that are still running, and only for a limited time.
func (w *wait) listPods(ctx context.Context) error {
	if w.relisted {
		w.gaveUp = true
		return nil
	}
	again, err := w.readPods(ctx)
	if err != nil {
		return err
	}
	if again == 0 {
		w.relisted, again = true, settleLimit
	}
	w.settle.after(again)
	return nil
}

// readPods folds in a consistent LIST of the Job's pods. If it cannot be read yet, readPods
// returns when to try again.
func (w *wait) readPods(ctx context.Context) (again time.Duration, _ error) {
	ctx, end := w.engine.requestContext(ctx)
	defer end()
	var listed []*watch.Pod
	var err error
	apicall.Waiting(ctx, func() { listed, err = w.engine.Watcher.ListPods(ctx, w.namespace, w.uid) }) // which others share
	if err == nil {
		w.listings = 0
		w.future.Do(func() {
			w.state.relist(listed)
			w.observeAllLogs()
		})
		return 0, nil
	}
	var ended bool
	w.future.Do(func() { ended = w.state.decision() == podsPending })
	switch {
	case ctx.Err() != nil && ended:
		return 0, fmt.Errorf("job %s/%s ended, but its pods were not read: %w", w.namespace, w.name, endOf(ctx))
	case ctx.Err() != nil:
		return 0, errStillRunning(w.namespace, w.name, endOf(ctx))
	}
	var refusal *watch.Error
	passes := !errors.As(err, &refusal) || refusal.Transient()
	if w.listings++; w.listings < maxListings || passes {
		w.engine.Logger.WarnContext(ctx, "pods of a job cannot be read yet", "namespace", w.namespace, "job", w.name, "error", err)
		return min(settleGrace<<min(w.listings, maxListings), confirmMax), nil
	}
	if !ended {
		return 0, fmt.Errorf("job %s/%s has not started or not stopped in time, and its pods cannot be read: %w", w.namespace, w.name, err)
	}
	return 0, fmt.Errorf("job %s/%s ended, but its pods cannot be read: %w", w.namespace, w.name, err)
}

// final reports whether, after that LIST, there is no pod left to wait for: those that
// are missing now stay missing. It is called in Future.Do.
func (w *wait) final() bool {
	return w.gaveUp || !slices.ContainsFunc(w.state.pods, func(p podState) bool { return !p.settled() && !p.ended() })
}
