package step

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

const (
	// deadlineSlack is how long after its deadline a Job may take to end, besides the
	// termination grace period of its pods.
	deadlineSlack = 2 * time.Minute
	// shortestLook is the shortest pause between two looks at an overdue Job.
	shortestLook = time.Second
)

// clusterClock is how late it is in the cluster, at least: the newest timestamp that
// the API server has sent, plus what has passed in this process since. However wrong
// this machine's clock is, it is never ahead of the cluster's.
type clusterClock struct {
	begun time.Time    // for the monotonic clock of this process
	ahead atomic.Int64 // of the time since begun, in nanoseconds since 1970
}

func newClusterClock() *clusterClock { return &clusterClock{begun: time.Now()} }

// observe takes in a timestamp that the API server or a controller has set.
func (c *clusterClock) observe(stamp time.Time) {
	if stamp.IsZero() {
		return
	}
	ahead := stamp.UnixNano() - int64(time.Since(c.begun))
	for known := c.ahead.Load(); known < ahead; known = c.ahead.Load() {
		if c.ahead.CompareAndSwap(known, ahead) {
			return
		}
	}
}

// observeEvent takes in the timestamps of an event. Those in the status of a pod are
// not used: the clocks of nodes set them.
func (c *clusterClock) observeEvent(e Event) {
	if e.pod != nil {
		c.observe(e.pod.CreationTimestamp.Time)
	}
	if e.job != nil {
		c.observeJob(e.job)
	}
}

func (c *clusterClock) observeJob(j *watch.Job) {
	c.observe(j.CreationTimestamp.Time)
	if start := j.Status.StartTime; start != nil {
		c.observe(start.Time)
	}
	for i := range j.Status.Conditions {
		c.observe(j.Status.Conditions[i].LastTransitionTime.Time)
	}
}

// since is how long ago t was in the cluster, at least.
func (c *clusterClock) since(t time.Time) time.Duration {
	return time.Duration(c.ahead.Load() - t.UnixNano() + int64(time.Since(c.begun)))
}

// now is what the clock of the cluster shows, at least; zero before the API server has
// sent a timestamp.
func (c *clusterClock) now() time.Time {
	ahead := c.ahead.Load()
	if ahead == 0 {
		return time.Time{}
	}
	return time.Unix(0, ahead+int64(time.Since(c.begun))).UTC()
}

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
		stopTimer(&w.overdue)
		w.allowed, w.allowedAt, w.grace = a, time.Now(), 0
	}
	if a != (allowance{}) && w.overdue == nil {
		w.overdue = time.NewTimer(w.untilLook())
	}
}

// untilLook is the time until the Job is late or, if this machine's clock says that it
// is late earlier than that can be proved, until then.
func (w *wait) untilLook() time.Duration {
	patience := deadlineSlack + w.grace
	proof := patience - min(w.engine.clock.since(w.allowed.end()), time.Since(w.allowedAt))
	if guess := patience - time.Since(w.allowed.end()); guess > 0 {
		proof = min(proof, guess)
	}
	return max(proof, shortestLook)
}

// late reports whether the Job should have ended: its allowance was over long ago, and
// it was not given that allowance just now, as by Cancel.
func (w *wait) late() bool {
	patience := deadlineSlack + w.grace
	return w.engine.clock.since(w.allowed.end()) >= patience && time.Since(w.allowedAt) >= patience
}

// checkOverdue runs when the Job should have ended by its deadline. The Job is read
// first: only one that still runs is late. Its pods may take their grace period.
func (w *wait) checkOverdue(ctx context.Context) error {
	w.overdue = nil // it has fired
	ctx, end := w.engine.requestContext(ctx)
	defer end()
	grace, err := w.readJob(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return errStillRunning(w.namespace, w.name, endOf(ctx))
	case permanent(err):
		return fmt.Errorf("job %s/%s should have ended by its deadline, and cannot be read: %w", w.namespace, w.name, err)
	case err != nil:
		w.engine.Logger.WarnContext(ctx, "overdue job cannot be read yet", "namespace", w.namespace, "job", w.name, "error", err)
		w.overdue = time.NewTimer(confirmMax)
		return nil
	}
	var d decision
	var a allowance
	var status jobs.Status
	var canceled bool
	w.future.Do(func() {
		if d, a = w.state.decision(), w.state.allowance(); w.state.job != nil {
			status, canceled = w.state.status(), w.state.job.Canceled
		}
	})
	w.grace = grace
	if d != running || a != w.allowed || !w.late() {
		return nil // it has ended, has other times now, or is not late yet
	}
	over := fmt.Sprintf("its deadline of %s", time.Duration(a.limit)*time.Second)
	cause := ErrDeadlineExceeded
	if canceled {
		cause, over = ErrCanceled, "it was canceled"
	}
	return fmt.Errorf("%w: job %s/%s is still %s more than %s after %s (%d pods active, %d terminating): is the Job controller running, and its node alive?",
		cause, w.namespace, w.name, status, deadlineSlack+grace, over, status.Active, status.Terminating)
}
