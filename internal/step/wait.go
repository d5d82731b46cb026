package step

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

const (
	// settleGrace is how long a wait gives the Pod watch to catch up with a Job
	// that has ended, before one LIST decides. The two streams are not ordered.
	settleGrace = time.Second
	// settleLimit bounds the wait for pods that still run though their Job has
	// ended, as API servers before 1.31 allow.
	settleLimit = time.Minute
	// maxListings is how often that LIST is tried, with pauses that double from
	// two grace periods: about two minutes in all.
	maxListings = 7
	// confirmAfter is when a wait asks the API server for a Job that the watch
	// has not shown: it may have been deleted before the watch saw it. The pauses
	// double up to confirmMax. A Job that the watch shows costs no request.
	confirmAfter = 10 * time.Second
	confirmMax   = time.Minute
	// maxUnauthorized is how many of those requests may be answered with 401, for
	// a minute and a half in all: client-go reads a token's file again each minute.
	maxUnauthorized = 2
	// deadlineSlack is how long after its deadline a Job may take to end, besides the
	// termination grace period of its pods.
	deadlineSlack = 2 * time.Minute
)

// wait is one step's wait for its Job.
type wait struct {
	engine    *Engine
	future    *dispatch.Future[Event]
	namespace string
	name      string
	uid       types.UID
	resumed   bool

	state state // guarded by the future: see Future.Do

	report       func(Report)
	reported     *Report     // nil unless Parts.Report is set
	confirm      *time.Timer // set while the watch does not show the Job
	pause        time.Duration
	unauthorized int
	settle       *time.Timer // set when the Job has ended and its pods have not settled
	listings     int
	relisted     bool
	gaveUp       bool        // pods that still run after all are taken as they are
	overdue      *time.Timer // set while the Job runs against its deadline
	deadline     time.Duration
	graced       bool // overdue was put off by the pods' grace period
}

// newWait registers for events before anything is created, and fails if the
// engine has stopped.
func (e *Engine) newWait(report func(Report)) (*wait, error) {
	w := &wait{engine: e, report: report, pause: confirmAfter}
	if e.Report != nil {
		w.reported = new(Report)
	}
	var err error
	w.future, err = e.Dispatcher.Register(w.apply)
	return w, err
}

func (w *wait) observed() bool { return w.reported != nil }

// apply folds one event in. It runs in the informer's goroutine: the waiter is
// woken only when there is something for it to do.
func (w *wait) apply(e Event) bool {
	news := w.state.apply(e)
	deadline := w.state.job != nil && w.state.job.Deadline != nil
	return news && (w.observed() || deadline || w.state.decision() != running)
}

func (w *wait) end() {
	w.future.Cancel()
	stopTimer(&w.confirm)
	stopTimer(&w.settle)
	stopTimer(&w.overdue)
}

// begin binds the wait to its Job and takes in what is known of it; job is nil when
// only its identity is.
func (w *wait) begin(namespace, name string, uid types.UID, job *watch.Job) error {
	w.uid, w.namespace, w.name = uid, namespace, name
	if err := w.future.Bind(uid); err != nil {
		return err
	}
	// What came before the bind is in the cache, what comes after it is dispatched to
	// the future: nothing falls in between. All within Do, so that no event comes
	// between a look-up and what is made of it.
	w.future.Do(func() {
		if job != nil {
			w.state.take(job)
		}
		if cached, ok := w.engine.Watcher.Job(namespace, name); ok && cached.UID == uid {
			w.state.applyJob(cached, false)
		}
		for _, p := range w.engine.Watcher.Pods(namespace, uid) {
			w.state.applyPod(p, false)
		}
		// A Job that exists, says a list or the cache of a moment ago: either the watch
		// has not shown it yet, or it has ceased to, and no event is left to come.
		w.state.unread = job == nil && !w.state.watched
	})
	return nil
}

// untilDone returns when the Job and its pods are final, or with the reason why
// that will never be known. The wait has begun.
func (w *wait) untilDone(ctx context.Context) error {
	for {
		final, err := w.evaluate()
		if final || err != nil {
			return err
		}
		select {
		case <-w.future.Ready():
		case <-timerC(w.confirm):
			w.confirm = nil
			err = w.checkMissing(ctx)
		case <-timerC(w.settle):
			w.settle = nil
			err = w.listPods(ctx)
		case <-timerC(w.overdue):
			w.overdue = nil
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

// evaluate decides from the state as it is now, and arms the timers that belong to
// it: a wait that goes to sleep has a watch that shows its Job, or a timer.
func (w *wait) evaluate() (final bool, err error) {
	var d decision
	var progress Report
	var watched, unread bool
	var deadline time.Duration // 0: none runs
	w.future.Do(func() {
		d = w.state.decision()
		watched, unread = w.state.watched || w.state.gone, w.state.unread
		w.state.unread = false
		deadline = w.state.deadline()
		if w.observed() {
			progress = w.state.progress()
		}
	})
	w.reportProgress(progress, d)
	w.armConfirm(watched, unread)
	w.armOverdue(d, deadline)
	switch d {
	case done:
		return true, nil
	case deleted:
		return false, fmt.Errorf("%w: job %s/%s (UID %s) was deleted before it ended, with its Execution, with its namespace or by hand; the result of its pods is lost",
			jobs.ErrJobDeleted, w.namespace, w.name, w.uid)
	case podsPending:
		if w.relisted && w.final() {
			return true, nil
		}
		if w.settle == nil {
			w.settle = time.NewTimer(settleGrace)
		}
	}
	return false, nil
}

// armConfirm has the Job read while the watch does not show it, at once when that is
// news.
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

// armOverdue follows the Job's deadline. The cluster's clock does not run while the
// Job is suspended.
func (w *wait) armOverdue(d decision, deadline time.Duration) {
	if d != running || deadline != w.deadline {
		stopTimer(&w.overdue)
		w.deadline, w.graced = 0, false
	}
	if d == running && deadline > 0 && w.overdue == nil {
		w.overdue, w.deadline = time.NewTimer(deadline+deadlineSlack), deadline
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

// stopTimer stops a timer that may not be set, and unsets it.
func stopTimer(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// timerC is the channel of a timer that may not be set.
func timerC(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// record returns the readable record that was on the Job already when the wait saw
// its end, and "" without one.
func (w *wait) record() (text string) {
	w.future.Do(func() {
		if w.state.recorded {
			text = w.state.job.Record
		}
	})
	return text
}

// outcome sums up the state that untilDone returned for.
func (w *wait) outcome(attempt int) (o *Outcome) {
	w.future.Do(func() { o = w.state.outcome(attempt) })
	return o
}
