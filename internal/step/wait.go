package step

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/watch"
)

const (
	// settleGrace is how long a wait lets the Pod watch catch up with a Job that has
	// ended, before one LIST decides. The two streams are not ordered.
	settleGrace = time.Second
	// settleLimit bounds the wait for pods that are still running although their Job has
	// ended, which is possible before Kubernetes 1.31.
	settleLimit = time.Minute
	// maxListings is how often that LIST is tried if the API server refuses it with an
	// error that is not transient, with pauses that double from two grace periods, for
	// about two minutes in total. After a transient error it is tried until the wait ends.
	maxListings = 7
	// confirmAfter is when a wait reads a Job that the watch has not shown: it may have
	// been deleted before the watch saw it. The pauses double up to confirmMax. A Job
	// that the watch shows costs no request.
	confirmAfter = 10 * time.Second
	confirmMax   = time.Minute
	// maxUnauthorized is how many of those requests may fail with 401, which takes a
	// minute and a half in total: client-go reads the token's file again every minute.
	maxUnauthorized = 2
)

// wait is one step's wait for its Job.
type wait struct {
	engine    *Engine
	future    *dispatch.Future[Event]
	namespace string
	name      string
	uid       types.UID
	resumed   bool

	attempt int

	state state    // guarded by the future: see Future.Do
	ended *Outcome // that of the state when it was final
	text  string   // the record that was on the Job then, or ""

	report       func(Report)
	reported     *Report     // nil unless Parts.Report is set
	confirm      *time.Timer // set while the watch does not show the Job
	pause        time.Duration
	unauthorized int
	held         *time.Timer // set while injected containers hold a failed pod open
	settle       *time.Timer // set when the Job has ended and its pods have not settled
	listings     int
	relisted     bool
	gaveUp       bool          // the state of pods that are still running then is accepted
	overdue      *time.Timer   // set while the Job has a deadline
	allowed      allowance     // that the timer is set for
	allowedAt    time.Time     // when this wait learned of it
	grace        time.Duration // of the pods, as far as it was read
}

// newWait registers for events before anything is created, and fails if the
// engine has stopped.
func (e *Engine) newWait(attempt int, until Until, report func(Report)) (*wait, error) {
	w := &wait{engine: e, attempt: attempt, state: state{until: until}, report: report, pause: confirmAfter}
	if e.Report != nil {
		w.reported = new(Report)
	}
	var err error
	w.future, err = e.Dispatcher.Register(w.apply)
	return w, err
}

func (w *wait) observed() bool { return w.reported != nil }

// apply folds in one event. It runs in the informer's goroutine, and wakes the waiter
// only if there is something for it to do.
func (w *wait) apply(e Event) bool {
	w.engine.clock.observeEvent(e)
	before := w.state.allowance()
	news := w.state.apply(e)
	return news && (w.observed() || w.state.allowance() != before || w.state.decision() != running || w.state.verdict() == pods.Failing)
}

func (w *wait) end() {
	w.future.Cancel()
	stopTimer(&w.confirm)
	stopTimer(&w.settle)
	stopTimer(&w.held)
	stopTimer(&w.overdue)
}

// begin binds the wait to its Job and folds in its state. job is nil if only its
// identity is known.
func (w *wait) begin(namespace, name string, uid types.UID, job *watch.Job) error {
	w.uid, w.namespace, w.name = uid, namespace, name
	if err := w.future.Bind(uid); err != nil {
		return err
	}
	// Events from before the bind are in the cache, and later ones are dispatched to the
	// future, so none is lost. Do ensures that no event comes between a lookup and its
	// use.
	w.future.Do(func() {
		if job != nil {
			w.engine.clock.observeJob(job)
			w.state.take(job)
		}
		if cached, ok := w.engine.Watcher.Job(namespace, name); ok && cached.UID == uid {
			w.engine.clock.observeJob(cached)
			w.state.applyJob(cached, false)
		}
		for _, p := range w.engine.Watcher.Pods(namespace, uid) {
			w.state.applyPod(p, false)
		}
		// A list, or the cache a moment ago, showed the Job. Either the watch has not shown
		// it yet, or it no longer does and no further event comes.
		w.state.unread = w.state.unread || job == nil && !w.state.watched
	})
	return nil
}

// untilDone returns when the Job and its pods are final, or with the reason why that
// will never be known. The wait must have begun.
func (w *wait) untilDone(ctx context.Context) error {
	for {
		final, err := w.evaluate()
		if final || err != nil {
			return err
		}
		select {
		case <-w.future.Ready():
		case <-timerC(w.confirm):
			err = w.checkMissing(ctx)
		case <-timerC(w.settle):
			err = w.listPods(ctx)
		case <-timerC(w.held):
			err = w.checkHeld(ctx)
		case <-timerC(w.overdue):
			err = w.checkOverdue(ctx)
		case <-w.future.Done():
			err = errStillRunning(w.namespace, w.name, w.future.Err())
		case <-ctx.Done():
			err = errStillRunning(w.namespace, w.name, endOf(ctx))
		}
		if err != nil {
			return err
		}
	}
}

// evaluate decides from the current state, and arms the timers for it: while a wait
// sleeps, the watch shows its Job or a timer is set. (The function asleep of the tests
// states that invariant in full.)
func (w *wait) evaluate() (final bool, err error) {
	var d decision
	var progress Report
	var watched, unread bool
	var allowed allowance
	var held time.Duration
	cause := jobs.ErrJobDeleted
	w.future.Do(func() {
		d = w.state.decision()
		if d == done || d == podsPending && w.relisted && w.final() {
			d = done
			w.finish()
		}
		if d == running && w.state.verdict() == pods.Failing {
			held = openGrace(w.state.job)
		}
		watched, unread = (w.state.watched || w.state.gone) && d != unobserved, w.state.unread
		w.state.unread = false
		allowed = w.state.allowance()
		if w.state.job != nil && w.state.job.Canceled {
			cause = errCanceledAndDeleted
		}
		if w.observed() {
			progress = w.state.progress()
		}
	})
	w.reportProgress(progress, d)
	w.armConfirm(watched, unread)
	w.armOverdue(d, allowed)
	w.armHeld(held)
	switch d {
	case done:
		return true, nil
	case deleted:
		return false, fmt.Errorf("%w: job %s/%s (UID %s) was deleted before its end was known, with its Execution, with its namespace or by hand; the result of its pods is lost",
			cause, w.namespace, w.name, w.uid)
	case podsPending:
		if w.settle == nil {
			w.settle = time.NewTimer(settleGrace)
		}
	}
	return false, nil
}

// armConfirm schedules reads of the Job while the watch does not show it, the first at
// once if the watch has just stopped showing it.
func (w *wait) armConfirm(watched, unread bool) {
	switch {
	case watched:
		stopTimer(&w.confirm)
	case unread:
		stopTimer(&w.confirm)
		w.confirm = time.NewTimer(0)
	case w.confirm == nil:
		w.confirm = time.NewTimer(w.pause)
	}
}

// reportProgress reports a change of the step's state.
func (w *wait) reportProgress(r Report, d decision) {
	if !w.observed() || d == podsPending || d == unobserved || d == deleted {
		return
	}
	r.Resumed = w.resumed
	if r != *w.reported {
		*w.reported = r
		w.report(r)
	}
}

// stopTimer stops and clears a timer that may be nil.
func stopTimer(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// timerC returns the channel of a timer that may be nil.
func timerC(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// finish keeps the outcome of the final state, or the readable record that is on the Job
// already: a later event may show a state in which nothing is decided, such as that of a
// Job that is being deleted. It is called in Future.Do.
func (w *wait) finish() {
	w.ended = w.state.outcome(w.attempt, w.engine.clock.now())
	if w.state.recorded {
		w.text = w.state.job.Record
	}
}
