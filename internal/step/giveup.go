package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/internal/redact"
	"github.com/kontinue/kontinue/jobs"
)

// armStart sets the alarm of the next look at the Job's start.
func (w *wait) armStart(next time.Time) {
	w.start.clear()
	if !next.IsZero() {
		w.start.after(max(shortestLook, next.Sub(w.engine.Clock.now())))
	}
}

// checkStart runs when the Job has waited for half of a limit or for all of it. At half it
// reads the Events that may explain the wait. In the end it reads Job and pods, and gives
// up if they say the same.
func (w *wait) checkStart(ctx context.Context) error {
	ctx, end := w.engine.requestContext(ctx)
	defer end()
	st, half, due := w.stalled()
	if half {
		w.readEvents(ctx, st)
	}
	if !due {
		w.lookAgain()
		return nil
	}
	live, err := w.readJob(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return errStillRunning(w.namespace, w.name, endOf(ctx))
	case permanent(err):
		return fmt.Errorf("job %s/%s has not started in time (%s), and cannot be read: %w", w.namespace, w.name, st.Reason, err)
	case err != nil:
		w.engine.Logger.WarnContext(ctx, "job that has not started cannot be read yet", "namespace", w.namespace, "job", w.name, "error", err)
		w.start.after(confirmMax)
		return nil
	}
	again, err := w.readPods(ctx)
	if err != nil {
		return err
	}
	if again > 0 {
		w.start.after(again)
		return nil
	}
	if st, _, due = w.stalled(); !due || live == nil {
		w.lookAgain()
		return nil
	}
	return w.giveUp(ctx, st, live)
}

// lookAgain makes the next evaluation plan the next look.
func (w *wait) lookAgain() { w.future.Do(func() { w.state.look = true }) }

// stalled returns what the Job waits for, and whether half of the limit of that and all of
// it is over. The alarm may have been set for something else that it waited for.
func (w *wait) stalled() (st stall, half, due bool) {
	w.future.Do(func() {
		s := &w.state
		if s.decision() != running {
			return
		}
		now := w.engine.Clock.now()
		var ok bool
		if st, ok, _ = s.stall(); ok {
			s.notice(st.stallID, now)
			half, due = !st.half.After(now), !s.dueAt(st).After(now)
		}
	})
	return st, half, due
}

// readEvents reads the Events about the pod, or about the Job if it has none, once for
// each problem that nothing else explains.
func (w *wait) readEvents(ctx context.Context, st stall) {
	var asked bool
	w.future.Do(func() { asked, w.state.asked = w.state.asked, true })
	if asked || !st.Silent {
		return
	}
	reason, message := w.warning(ctx, types.UID(cmp.Or(string(st.pod), string(w.uid))))
	w.future.Do(func() {
		if w.state.stalled == st.stallID {
			w.state.reason, w.state.message = reason, message
		}
	})
}

// warning returns the newest Event of type Warning about the Job or a pod of it, without
// the values of the Job's env and args, which admission may quote. It returns nothing if
// either cannot be read.
func (w *wait) warning(ctx context.Context, object types.UID) (reason, message string) {
	if w.engine.Events == nil {
		return "", ""
	}
	var err error
	apicall.Waiting(ctx, func() { reason, message, err = w.engine.Events.Warning(ctx, w.namespace, object) })
	var live *batchv1.Job
	if err == nil && message != "" {
		live, err = w.engine.Jobs.Get(ctx, w.namespace, w.name)
	}
	if err != nil || message == "" {
		w.engine.Logger.DebugContext(ctx, "no event explains the job", "namespace", w.namespace, "job", w.name, "error", err)
		return "", ""
	}
	return reason, plain.Text(redact.Of(live).Hide(message))
}

// giveUp stops the Job for good, and notes why in the same request. All workers then give
// the same result, when the Job has ended. If the Job has changed since it was read, the
// wait looks again.
func (w *wait) giveUp(ctx context.Context, st stall, live *batchv1.Job) error {
	var why record.GaveUp
	var version string
	var stopped, ending bool
	w.future.Do(func() {
		s := &w.state
		why, version = s.why(st), s.job.ResourceVersion
		stopped, ending = s.job.GaveUp != "", s.status().Ending
		s.abandoned = stopped
	})
	switch {
	case stopped:
		return nil // and its pods do not stop: see decision
	case ending:
		return fmt.Errorf("job %s/%s has ended but for pod %s, which does not stop: %s", w.namespace, w.name, st.name, st.Message)
	}
	why.Message = redact.Of(live).Hide(why.Message)
	text, err := why.Encode()
	if err != nil {
		return fmt.Errorf("job %s/%s: encode why it is given up: %w", w.namespace, w.name, err)
	}
	err = w.engine.Jobs.GiveUp(ctx, w.namespace, w.name, w.uid, version, text)
	switch {
	case err == nil:
		w.engine.Logger.WarnContext(ctx, "gave up a job that does not start", "namespace", w.namespace, "job", w.name, "pod", why.Pod, "reason", why.Reason)
		w.start.after(abandonAfter)
	case ctx.Err() != nil:
		return errStillRunning(w.namespace, w.name, endOf(ctx))
	case apierrors.IsConflict(err), errors.Is(err, jobs.ErrJobDeleted):
		// The watch shows the change by then, unless it is a webhook that refuses the request.
		w.start.after(min(shortestLook<<w.conflicts, confirmMax))
		w.conflicts = min(w.conflicts+1, maxListings)
	case permanent(err):
		return fmt.Errorf("job %s/%s has not started in time (%s), and cannot be stopped: %w", w.namespace, w.name, st.Reason, err)
	default:
		w.start.after(confirmMax)
	}
	return nil
}

// why is the reason to give up, in the words of an Event if the pod itself has none.
func (s *state) why(st stall) record.GaveUp {
	g := record.GaveUp{Reason: st.Reason, Message: st.Message, Pod: st.name}
	if st.Silent && s.message != "" {
		g.Reason, g.Message = s.reason, g.Message+": "+s.message
	}
	g.Message = fmt.Sprintf("gave up after %s: %s", st.due.Sub(st.Since), g.Message)
	return g
}

// gaveUp returns why the Job was given up, and false if it was not.
func (s *state) gaveUp() (record.GaveUp, bool) {
	if s.job.GaveUp == "" {
		return record.GaveUp{}, false
	}
	return record.DecodeGaveUp(s.job.GaveUp), true
}
