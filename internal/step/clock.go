package step

import (
	"sync/atomic"
	"time"

	"github.com/kontinue/kontinue/watch"
)

// Clock is how late it is in the cluster, at least: the newest timestamp that the API
// server has sent, with an object or a response, plus what has passed in this process
// since. However wrong this machine's clock is, it is never ahead of the cluster's.
type Clock struct {
	begun time.Time    // for the monotonic clock of this process
	ahead atomic.Int64 // of the time since begun, in nanoseconds since 1970
}

// NewClock returns a clock that has not observed anything.
func NewClock() *Clock { return &Clock{begun: time.Now()} }

// Observe takes in a timestamp that the API server or a controller has set.
func (c *Clock) Observe(stamp time.Time) {
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
func (c *Clock) observeEvent(e Event) {
	if e.pod != nil {
		c.Observe(e.pod.CreationTimestamp.Time)
	}
	if e.job != nil {
		c.observeJob(e.job)
	}
}

func (c *Clock) observeJob(j *watch.Job) {
	c.Observe(j.CreationTimestamp.Time)
	if start := j.Status.StartTime; start != nil {
		c.Observe(start.Time)
	}
	for i := range j.Status.Conditions {
		c.Observe(j.Status.Conditions[i].LastTransitionTime.Time)
	}
}

// since is how long ago t was in the cluster, at least.
func (c *Clock) since(t time.Time) time.Duration {
	return time.Duration(c.ahead.Load() - t.UnixNano() + int64(time.Since(c.begun)))
}

// now is what the clock of the cluster shows, at least; zero before the API server has
// sent a timestamp.
func (c *Clock) now() time.Time {
	ahead := c.ahead.Load()
	if ahead == 0 {
		return time.Time{}
	}
	return time.Unix(0, ahead+int64(time.Since(c.begun))).UTC()
}
