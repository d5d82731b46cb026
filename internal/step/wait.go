package step

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/starts"
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

// jobRef identifies the Job of a wait.
type jobRef struct {
	namespace string
	name      string
	uid       types.UID // empty until the Job exists
	resumed   bool
}

// wait is one step's wait for its Job.
type wait struct {
	engine *Engine
	future *dispatch.Future[Event]
	wake   func() // has the step take a turn
	jobRef        // guarded by Step.mu; only the step's turns write it

	attempt int

	state state    // guarded by the future: see Future.Do
	ended *Outcome // that of the state when it was final
	text  string   // the record that was on the Job then, or ""

	ends bool // the subscription has ended; guarded by the future

	logs []*stepLogs // that observe the pods; guarded by the future

	report       func(Report)
	reported     *Report // nil unless Parts.Report is set
	followed     bool    // another run may follow a failure, which is reported when none does
	confirm      alarm   // set while the watch does not show the Job
	pause        time.Duration
	unauthorized int
	start        alarm // set while the Job's pods have not started, or do not stop
	conflicts    int   // of the requests that were to stop the Job
	held         alarm // set while injected containers hold a failed pod open
	queue        alarm // set while a queue holds the Job, until its reason is read
	suspended    suspension
	settle       alarm // set when the Job has ended and its pods have not settled
	listings     int
	relisted     bool
	gaveUp       bool          // the state of pods that are still running then is accepted
	overdue      alarm         // set while the Job has a deadline
	allowed      allowance     // that the alarm is set for
	allowedAt    time.Time     // when this wait learned of it
	grace        time.Duration // of the pods, as far as it was read
}

// newWait registers for events before anything is created, and fails if the
// engine has stopped. wake is called when there is something for the wait to do.
func (e *Engine) newWait(attempt int, until Until, limits starts.Limits, report func(Report), wake func()) (*wait, error) {
	w := &wait{engine: e, attempt: attempt, state: state{until: until}, report: report, pause: confirmAfter, wake: wake}
	w.state.limits, w.state.look = limits, true
	if e.Report != nil {
		w.reported = new(Report)
	}
	var err error
	w.future, err = e.Dispatcher.Register(w.apply, wake)
	return w, err
}

func (w *wait) observed() bool { return w.reported != nil }

// apply folds in one event. It runs in the informer's goroutine, and has the step woken
// only if there is something for it to do.
func (w *wait) apply(e Event) bool {
	w.engine.Clock.observeEvent(e)
	before, held := w.state.allowance(), w.state.suspension()
	news := w.state.apply(e)
	if e.pod != nil {
		w.observeLogs(e.pod.UID)
	}
	w.state.look = w.state.look || news && w.state.stallsSooner(e)
	return news && (w.state.look || w.observed() || w.state.allowance() != before || w.state.suspension() != held || w.state.decision() != running || w.state.verdict() == pods.Failing)
}

// end ends the subscription.
func (w *wait) end() {
	w.future.Cancel()
	w.future.Do(func() { w.ends = true })
}

// begin binds the wait to its Job and folds in its state. job is nil if only its
// identity is known.
func (w *wait) begin(job *watch.Job) error {
	if err := w.future.Bind(w.uid); err != nil {
		return err
	}
	// Events from before the bind are in the cache, and later ones are dispatched to the
	// future, so none is lost. Do ensures that no event comes between a lookup and its
	// use.
	w.future.Do(func() {
		if job != nil {
			w.engine.Clock.observeJob(job)
			w.state.take(job)
		}
		if cached, ok := w.engine.Watcher.Job(w.namespace, w.name); ok && cached.UID == w.uid {
			w.engine.Clock.observeJob(cached)
			w.state.applyJob(cached, false)
		}
		for _, p := range w.engine.Watcher.Pods(w.namespace, w.uid) {
			w.state.applyPod(p, false)
		}
		w.observeAllLogs()
		// A list, or the cache a moment ago, showed the Job. Either the watch has not shown
		// it yet, or it no longer does and no further event comes.
		w.state.unread = w.state.unread || job == nil && !w.state.watched
	})
	return nil
}

// advance does what there is to do. It reports whether the Job and its pods are final, or
// returns the reason why that will never be known. Otherwise the wait sleeps until it is
// woken, or until next unless that is zero. The wait must have begun.
func (w *wait) advance(ctx context.Context) (final bool, next time.Time, err error) {
	for {
		if final, err = w.evaluate(); final || err != nil {
			return final, next, err
		}
		if err = w.future.Err(); err == nil && ctx.Err() != nil {
			err = endOf(ctx)
		}
		if err != nil {
			return false, next, errStillRunning(w.namespace, w.name, err)
		}
		check, at := w.alarm(time.Now())
		if check == nil {
			return false, at, nil
		}
		if err = check(w, ctx); err != nil {
			return false, at, err
		}
	}
}

// alarm returns what an alarm whose time has come is for, or when the next one is due.
func (w *wait) alarm(now time.Time) (check func(*wait, context.Context) error, next time.Time) {
	switch {
	case w.confirm.due(now, &next):
		return (*wait).checkMissing, next
	case w.settle.due(now, &next):
		return (*wait).listPods, next
	case w.start.due(now, &next):
		return (*wait).checkStart, next
	case w.held.due(now, &next):
		return (*wait).checkHeld, next
	case w.overdue.due(now, &next):
		return (*wait).checkOverdue, next
	case w.queue.due(now, &next):
		return (*wait).checkQueue, next
	}
	return nil, next
}

// evaluate decides from the current state, and sets the alarms for it: while a wait
// sleeps, the watch shows its Job or an alarm is set. (The function asleep of the tests
// states that invariant in full.)
func (w *wait) evaluate() (final bool, err error) {
	var d decision
	var progress Report
	var watched, unread bool
	var allowed allowance
	var held time.Duration
	var suspended suspension
	var next time.Time // of the look at the Job's start
	planned := false
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
		if d == running {
			suspended = w.state.suspension()
		}
		switch {
		case d != running:
			w.state.look, planned = true, true // if it comes to that again
		case w.state.look:
			w.state.lookAgain(w.engine.Clock.now())
			next, planned = w.state.next, true
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
	w.armQueue(suspended)
	if planned {
		w.armStart(next)
	}
	switch d {
	case done:
		return true, nil
	case deleted:
		return false, fmt.Errorf("%w: job %s/%s (UID %s) was deleted before its end was known, with its Execution, with its namespace or by hand; the result of its pods is lost",
			cause, w.namespace, w.name, w.uid)
	case podsPending:
		if !w.settle.set() {
			w.settle.after(settleGrace)
		}
	}
	return false, nil
}

// armConfirm schedules reads of the Job while the watch does not show it, the first at
// once if the watch has just stopped showing it.
func (w *wait) armConfirm(watched, unread bool) {
	switch {
	case watched:
		w.confirm.clear()
	case unread:
		w.confirm.after(0)
	case !w.confirm.set():
		w.confirm.after(w.pause)
	}
}

// reportProgress reports a change of the step's state.
func (w *wait) reportProgress(r Report, d decision) {
	if !w.observed() || d == podsPending || d == unobserved || d == deleted {
		return
	}
	r.Resumed = w.resumed
	if r != *w.reported && !(w.followed && r.State == Failed) {
		*w.reported = r
		w.engine.outside(func() { w.report(r) })
	}
}

// finish keeps the outcome of the final state, or the readable record that is on the Job
// already: a later event may show a state in which nothing is decided, such as that of a
// Job that is being deleted. It is called in Future.Do.
func (w *wait) finish() {
	w.ended = w.state.outcome(w.attempt, w.engine.Clock.now())
	if w.state.recorded {
		w.text = w.state.job.Record
	}
}
