package kontinue

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
	// double up to confirmMax. A Job in the cache costs no request.
	confirmAfter = 10 * time.Second
	confirmMax   = time.Minute
	// maxUnauthorized is how many of those requests may be answered with 401, for
	// a minute and a half in all: client-go reads a token's file again each minute.
	maxUnauthorized = 2
	// deadlineSlack is how long after its deadline a Job may take to end: the
	// pods' termination grace and the controllers' own pace.
	deadlineSlack = 2 * time.Minute
)

// wait is one step's wait for its Job.
type wait struct {
	client  *Client
	future  *dispatch.Future[event]
	uid     types.UID
	resumed bool

	view view // guarded by the future: see Future.Do

	report       func(Progress)
	reported     *Progress   // nil unless Config.OnProgress is set
	confirm      *time.Timer // nil once the watch has shown the Job
	pause        time.Duration
	unauthorized int
	settle       *time.Timer // set when the Job has ended and its pods have not settled
	listings     int
	relisted     bool
	gaveUp       bool        // pods that still run after all are taken as they are
	overdue      *time.Timer // set while the Job runs against its deadline
	namespace    string
	name         string
}

// newWait registers for events before anything is created, and fails if the
// client has stopped.
func (c *Client) newWait(report func(Progress)) (*wait, error) {
	w := &wait{client: c, report: report, pause: confirmAfter}
	if c.cfg.OnProgress != nil {
		w.reported = new(Progress)
	}
	var err error
	w.future, err = c.dispatcher.Register(w.apply)
	return w, err
}

func (w *wait) observed() bool { return w.reported != nil }

// apply folds one event in. It runs in the informer's goroutine: the waiter is
// woken only when there is something for it to do.
func (w *wait) apply(e event) bool {
	if e.job != nil {
		w.view.watched = !e.deleted
	}
	news := w.view.apply(e)
	deadline := w.view.job != nil && w.view.job.Deadline != nil
	return news && (w.observed() || deadline || w.view.verdict() != undecided)
}

func (w *wait) end() {
	w.future.Cancel()
	halt(&w.confirm)
	halt(&w.settle)
	halt(&w.overdue)
}

// halt stops a timer that may not be set, and unsets it.
func halt(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// forJob returns when the Job and its pods are final, or with the reason why
// that will never be known. The wait has begun.
func (w *wait) forJob(ctx context.Context) error {
	for {
		done, err := w.look()
		if done || err != nil {
			return err
		}
		select {
		case <-w.future.Ready():
		case <-expired(w.confirm):
			err = w.unseen(ctx)
		case <-expired(w.settle):
			err = w.relist(ctx)
		case <-expired(w.overdue):
			err = w.late()
		case <-w.future.Done():
			err = w.goesOn("", w.future.Err())
		case <-ctx.Done():
			err = w.goesOn("the wait was ended, ", endOf(ctx))
		}
		if err != nil {
			return err
		}
	}
}

// goesOn is why a wait ends though its Job does not.
//
//go:noinline
func (w *wait) goesOn(what string, cause error) error {
	return fmt.Errorf("%sjob %s/%s goes on: %w", what, w.namespace, w.name, cause)
}

// begin binds the wait to its Job and takes in what is known of it.
func (w *wait) begin(job *watch.Job) error {
	w.uid, w.namespace, w.name = job.UID, job.Namespace, job.Name
	if err := w.future.Bind(job.UID); err != nil {
		return err
	}
	// What came before the bind is in the cache, what comes after it is offered to
	// the future: nothing falls in between. All within Do, so that no event comes
	// between a look-up and what is made of it.
	w.future.Do(func() {
		w.view.apply(event{job: job})
		if cached, ok := w.client.watcher.Job(job.Namespace, job.Name); ok && cached.UID == job.UID {
			w.apply(event{job: cached})
		} else {
			w.confirm = time.NewTimer(w.pause)
		}
		for _, p := range w.client.watcher.Pods(job.UID) {
			w.apply(event{pod: p})
		}
	})
	return nil
}

// expired is the channel of a timer that may not be set.
func expired(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// look decides from the state as it is now, and sets the timers that belong to
// it.
func (w *wait) look() (done bool, err error) {
	var verdict verdict
	var progress Progress
	var watched bool
	var deadline time.Duration // 0: none runs
	w.future.Do(func() {
		verdict = w.view.verdict()
		watched = w.view.watched
		deadline = w.view.deadline()
		if w.observed() {
			progress = w.view.progress()
		}
	})
	if watched {
		halt(&w.confirm)
	}
	w.tell(progress, verdict)
	switch verdict {
	case settled:
		return true, nil
	case vanished:
		// Gone, or only no longer selected: the API server knows.
		if w.confirm == nil {
			w.confirm = time.NewTimer(0)
		}
	case lost:
		return false, fmt.Errorf("%w: job %s/%s (UID %s) went away before it ended, with its Execution, with its namespace or by hand; what its pods did is not known",
			ErrJobDeleted, w.namespace, w.name, w.uid)
	case unsettled:
		halt(&w.overdue)
		if w.settle == nil {
			w.settle = time.NewTimer(settleGrace)
		} else if w.relisted && w.final() {
			return true, nil
		}
	case undecided:
		// The cluster's clock does not run while the Job is suspended.
		switch {
		case deadline > 0 && w.overdue == nil:
			w.overdue = time.NewTimer(deadline + deadlineSlack)
		case deadline == 0:
			halt(&w.overdue)
		}
	}
	return false, nil
}

// tell reports a change of the step's state.
func (w *wait) tell(p Progress, v verdict) {
	if !w.observed() || v == unsettled || v == vanished || v == lost {
		return
	}
	p.Resumed = w.resumed
	if p != *w.reported {
		*w.reported = p
		w.report(p)
	}
}

// watched reports that the watch, or the cache, has shown the Job.
func (w *wait) watched() (watched bool) {
	w.future.Do(func() { watched = w.view.watched })
	return watched
}

// relist asks with a consistent read which pods of the ended Job there are.
// After it only pods that still run are waited for, and not for ever.
func (w *wait) relist(ctx context.Context) error {
	if w.relisted {
		w.gaveUp = true
		return nil
	}
	ctx, end := w.client.asking(ctx)
	defer end()
	listed, err := w.client.watcher.ListPods(ctx, w.uid)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("job %s/%s ended, but its pods were not read: %w", w.namespace, w.name, endOf(ctx))
		}
		if w.listings++; w.listings < maxListings {
			w.client.log.WarnContext(ctx, "pods of an ended job cannot be read yet", "namespace", w.namespace, "job", w.name, "error", err)
			w.settle.Reset(settleGrace << w.listings)
			return nil
		}
		return fmt.Errorf("job %s/%s ended, but its pods cannot be read: %w", w.namespace, w.name, err)
	}
	w.future.Do(func() { w.view.relist(listed) })
	w.relisted = true
	w.settle.Reset(settleLimit)
	return nil
}

// final reports, after the relist, that no pod is left to wait for: those that
// are missing now stay missing.
func (w *wait) final() bool {
	final := true
	w.future.Do(func() {
		if w.gaveUp {
			return
		}
		for _, p := range w.view.pods {
			final = final && (p.settled() || p.ended())
		}
	})
	return final
}

// late ends the wait for a Job that the cluster has not stopped long after its
// deadline.
func (w *wait) late() error {
	var status jobs.Status
	var deadline time.Duration
	w.future.Do(func() { status, deadline = jobs.Classify(&w.view.job.Status), w.view.deadline() })
	return fmt.Errorf("%w: job %s/%s is %s %s after its deadline of %s (%d pods active, %d terminating): is the Job controller running, and its node alive?",
		ErrDeadlineExceeded, w.namespace, w.name, status, deadlineSlack, deadline, status.Active, status.Terminating)
}

// recorded is the outcome that was on the Job already when the wait saw its end.
func (w *wait) recorded() (text string) {
	w.future.Do(func() { text = w.view.job.Record })
	return text
}

// outcome sums up the state that forJob returned for.
func (w *wait) outcome(attempt int) (o *outcome) {
	w.future.Do(func() { o = w.view.outcome(attempt) })
	return o
}
