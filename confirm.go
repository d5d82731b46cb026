package kontinue

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// unseen is when the watch should have shown the Job. The waiter was not woken for
// it if the watch has shown a Job that runs.
func (w *wait) unseen(ctx context.Context) error {
	if w.watched() {
		return nil
	}
	return w.confirmJob(ctx)
}

// confirmJob asks for a Job that the watch does not show: not yet, or no longer.
// An API server that does not answer leaves the question open.
func (w *wait) confirmJob(ctx context.Context) error {
	ctx, end := w.client.asking(ctx)
	defer end()
	asking, cancel := context.WithTimeout(ctx, confirmAfter)
	defer cancel()
	live, err := w.client.jobs.Get(asking, w.namespace, w.name)
	var failure *jobs.APIError
	switch {
	case apierrors.IsNotFound(err):
		w.future.Do(func() { w.view.gone = true })
	case err == nil:
		job := watch.NewJob(live)
		w.future.Do(func() { w.view.confirm(job, w.uid) })
		w.client.log.DebugContext(ctx, "job was read, since the watch does not show it", "namespace", w.namespace, "job", w.name)
	case ctx.Err() != nil:
		return w.goesOn("the wait was ended, ", endOf(ctx))
	case w.refused(err):
		return fmt.Errorf("%w: the watch no longer shows job %s/%s (UID %s), which had not ended, and the API server does not let this worker look, as when its namespace and its account go: %w",
			ErrJobDeleted, w.namespace, w.name, w.uid, err)
	case errors.As(err, &failure) && !failure.Transient() && asking.Err() == nil:
		return err
	default:
		w.client.log.WarnContext(ctx, "job cannot be read yet", "namespace", w.namespace, "job", w.name, "error", err)
	}
	w.pause = min(2*w.pause, confirmMax)
	w.confirm.Reset(w.pause)
	return nil
}

// refused reports that nobody will tell any more what became of a Job that the
// watch has shown to go: the right to read it is gone, or the credentials have
// stayed invalid for longer than it takes to renew a token.
func (w *wait) refused(err error) bool {
	vanished := false
	w.future.Do(func() { vanished = w.view.deleted })
	switch {
	case !vanished:
		return false
	case apierrors.IsUnauthorized(err):
		w.unauthorized++
		return w.unauthorized > maxUnauthorized
	default:
		return apierrors.IsForbidden(err)
	}
}
