package step

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kontinue/kontinue/jobs"
)

const (
	// deadlineSlack is how long after its deadline a Job may take to end, besides the
	// termination grace period of its pods.
	deadlineSlack = 2 * time.Minute
	// shortestLook is the shortest pause between two looks at an overdue Job.
	shortestLook = time.Second
)

// allowance is the time that a Job has from its start. The zero value is none.
type allowance struct {
	start    int64 // in seconds since 1970
	limit    int64 // in seconds
	stopping bool  // the Job controller has decided the end, and waits for pods
}

func (a allowance) end() time.Time { return time.Unix(a.start+a.limit, 0) }

// allowance is the Job's activeDeadlineSeconds while they count: not before the
// Job has started, and not while it is suspended.
func (s *state) allowance() allowance {
	if s.job == nil || s.job.Deadline == nil || s.job.Suspended || s.job.Status.StartTime == nil {
		return allowance{}
	}
	return allowance{
		start: s.job.Status.StartTime.Unix(), limit: min(*s.job.Deadline, math.MaxInt32),
		stopping: s.status().Ending,
	}
}

// armOverdue follows the Job's allowance as it changes.
func (w *wait) armOverdue(d decision, a allowance) {
	if d != running {
		a = allowance{}
	}
	if a != w.allowed {
		w.overdue.clear()
		w.allowed, w.allowedAt, w.grace = a, time.Now(), 0
	}
	if a != (allowance{}) && !w.overdue.set() {
		w.overdue.after(w.untilLook())
	}
}

// untilLook is the time until the Job is late or, if this machine's clock says that it
// is late earlier than that can be proved, until then.
func (w *wait) untilLook() time.Duration {
	patience := deadlineSlack + w.grace
	proof := patience - min(w.engine.Clock.since(w.allowed.end()), time.Since(w.allowedAt))
	if guess := patience - time.Since(w.allowed.end()); guess > 0 {
		proof = min(proof, guess)
	}
	return max(proof, shortestLook)
}

// late reports whether the Job should have ended: its allowance was over long ago, and
// it was not given that allowance just now, as by Cancel.
func (w *wait) late() bool {
	patience := deadlineSlack + w.grace
	return w.engine.Clock.since(w.allowed.end()) >= patience && time.Since(w.allowedAt) >= patience
}

// checkOverdue runs when the Job should have ended by its deadline. The Job is read
// first: only one that still runs is late. Its pods may take their grace period.
func (w *wait) checkOverdue(ctx context.Context) error {
	ctx, end := w.engine.requestContext(ctx)
	defer end()
	live, err := w.readJob(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return errStillRunning(w.namespace, w.name, endOf(ctx))
	case permanent(err):
		return fmt.Errorf("job %s/%s should have ended by its deadline, and cannot be read: %w", w.namespace, w.name, err)
	case err != nil:
		w.engine.Logger.WarnContext(ctx, "overdue job cannot be read yet", "namespace", w.namespace, "job", w.name, "error", err)
		w.overdue.after(confirmMax)
		return nil
	}
	var d decision
	var a allowance
	var status jobs.Status
	var canceled, gaveUp bool
	var controller string
	w.future.Do(func() {
		if d, a = w.state.decision(), w.state.allowance(); w.state.job != nil {
			controller = w.state.controller()
			status, canceled, gaveUp = w.state.status(), w.state.job.Canceled, w.state.job.GaveUp != ""
		}
	})
	if live != nil {
		w.grace = gracePeriod(&live.Spec.Template.Spec)
	}
	if d != running || a != w.allowed || !w.late() {
		return nil // it has ended, has other times now, or is not late yet
	}
	over := fmt.Sprintf("its deadline of %s", time.Duration(a.limit)*time.Second)
	cause := ErrDeadlineExceeded
	switch {
	case gaveUp:
		cause, over = errGaveUp, "it was given up"
	case canceled:
		cause, over = ErrCanceled, "it was canceled"
	}
	return fmt.Errorf("%w: job %s/%s is still %s more than %s after %s (%d pods active, %d terminating): is %s running, and its node alive?",
		cause, w.namespace, w.name, status, deadlineSlack+w.grace, over, status.Active, status.Terminating, controller)
}
