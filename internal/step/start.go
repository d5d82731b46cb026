package step

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
)

const (
	// leastLook is how long a wait observes a problem before it gives up, unless the limit
	// is shorter. The limit counts from a time at the control plane, before which the
	// problem may not have existed: an image may be pulled for minutes and then fail.
	leastLook = time.Minute
	// retryBackoff is the longest back-off of the Job controller between two pods
	// (MaxJobPodFailureBackOff).
	retryBackoff = 10 * time.Minute
	// abandonAfter is how long the pods of a Job that was given up may take to stop,
	// besides their grace period.
	abandonAfter = time.Minute
)

// starting is what a wait knows of the start of its Job. It is a part of the state.
type starting struct {
	limits    starts.Limits
	ready     time.Time // when the Job's Secret was created: its pods wait for it; zero without one
	look      bool      // a look is due: something has changed, or there was none yet
	next      time.Time // of the next look, by the clock of the cluster; zero means that none is set
	blocked   bool      // other pods of the Job run, so that a stalled one does not bring it forward
	stalled   stallID   // what the last look has found, and when it was found first
	found     time.Time
	asked     bool // the Events were read for it
	reason    string
	message   string // what they say
	abandoned bool   // the Job was given up and does not end: its pods have not stopped, or it never started
}

// stall is what keeps a Job from starting, or a pod from stopping.
type stall struct {
	starts.Stall
	stallID
	name string    // of the pod; empty if the Job has none
	due  time.Time // when the limit is over
	half time.Time
	// unknown reports whether it is not known when the time began, as with the pods of the
	// Job gone before this wait has seen them: it begins when the stall is found.
	unknown bool
}

// stallID identifies a stall: a limit and a pod.
type stallID struct {
	key string
	pod types.UID
}

// of returns the stall with its times.
func (s *starting) of(p starts.Stall, limit time.Duration) stall {
	return stall{
		Stall: p, stallID: stallID{key: p.Key}, due: p.Since.Add(limit), half: p.Since.Add(limit / 2),
		unknown: p.Since.IsZero(), // client-go's fake clientset sets no times
	}
}

// stall returns what the Job has waited for longest, and false if a pod of it has started,
// if it is suspended, or if what it waits for has no limit. running reports whether that
// is so because of another pod.
func (s *state) stall() (st stall, ok, running bool) {
	j := s.job
	if j == nil || j.Suspended || j.DeletionTimestamp != nil || j.ManagedBy != "" || s.recorded || j.Canceled && j.GaveUp == "" {
		return stall{}, false, false
	}
	status := s.status()
	if status.Terminal || status.Suspended || status.Ending && j.GaveUp == "" && s.allowance() != (allowance{}) {
		return stall{}, false, false // the end of one with a deadline is bounded by that
	}
	progress := j.CreationTimestamp.Time
	if start := j.Status.StartTime; start != nil {
		progress = start.Time
	}
	progress = later(progress, s.ready)
	living := 0
	for i := range s.pods {
		p := &s.pods[i]
		switch {
		case p.deleted:
			if p.DeletionTimestamp != nil {
				progress = later(progress, p.DeletionTimestamp.Time)
			}
			continue
		case p.ended():
			progress = later(progress, starts.EndedAt(p.Object()))
			continue
		}
		living++
		found, stalled := starts.StallOf(p.Object())
		if !stalled {
			return stall{}, false, true
		}
		limit := s.limit(found.Key)
		if limit == 0 || (status.Ending || j.GaveUp != "") && p.DeletionTimestamp == nil {
			continue
		}
		other := s.of(found, limit)
		// A gate was removed long after the pod's creation, and the status has no time of that.
		other.unknown = other.unknown || p.gated && found.Key == string(corev1.PodReasonUnschedulable)
		if other.pod, other.name = p.UID, p.Name; !ok || other.due.Before(st.due) {
			st, ok = other, true
		}
	}
	if living == 0 {
		st, ok = s.noPod(progress, status)
	}
	if !ok {
		return stall{}, false, false
	}
	// A pod that waits for the end of another one of the Job begins to wait with it.
	if behind := progress.Sub(st.Since); behind > 0 {
		st.Since, st.due, st.half = progress, st.due.Add(behind), st.half.Add(behind)
	}
	return st, true, false
}

// noPod is the stall of a Job that has no pod: none yet, or none after one that failed.
func (s *state) noPod(since time.Time, status jobs.Status) (stall, bool) {
	found := starts.NoPod(since)
	limit := s.limit(found.Key)
	// A Job that was given up before it had started, and has no pod, has ended: none is created
	// any more. The Job controller, which ends all others, may not be running.
	never := status.Started.IsZero() && len(s.pods) == 0
	if limit == 0 || status.Ending || s.job.GaveUp != "" && !never || s.settled < len(s.pods) {
		return stall{}, false
	}
	gone := s.missing(status) > 0
	if len(s.pods) > 0 {
		if s.pods[s.newest].ended() && s.succeeded > 0 {
			return stall{}, false // the Job controller may have nothing left to create
		}
		gone = gone || slices.ContainsFunc(s.pods, podState.endUnknown)
	}
	if gone || len(s.pods) > 0 {
		limit += retryBackoff
	}
	st := s.of(found, limit)
	st.unknown = st.unknown || gone || s.wasHeld()
	return st, true
}

// endUnknown reports whether it is not known when a pod that is settled ended.
func (p podState) endUnknown() bool {
	if p.deleted {
		return p.DeletionTimestamp == nil
	}
	return pods.Inspect(p.Object()).FinishedAt.IsZero()
}

// limit is that of a key of the limits. A pod that does not stop after the Job was given
// up has less time.
func (s *state) limit(key string) time.Duration {
	if s.job.GaveUp != "" {
		return abandonAfter
	}
	return s.limits[key]
}

// stallsSooner reports whether the event makes a look necessary before the next one that
// is set. It is called at every event, and looks at one pod only.
func (s *state) stallsSooner(e Event) bool {
	if len(s.limits) == 0 || s.blocked && !s.next.IsZero() {
		return false
	}
	switch {
	case e.deleted:
		return s.next.IsZero()
	case e.pod == nil, e.pod.Phase == corev1.PodSucceeded, e.pod.Phase == corev1.PodFailed:
		return s.next.IsZero() && s.settled == len(s.pods) // either may be the last event
	}
	if e.pod.Phase != corev1.PodPending && e.pod.DeletionTimestamp == nil {
		return false // a pod of which a container has not started is Pending
	}
	found, stalled := starts.StallOf(e.pod.Object())
	return stalled && (s.next.IsZero() || found.Since.Add(s.limits[found.Key]).Before(s.next))
}

// lookAgain plans the next look at what the Job waits for, as of now.
func (s *state) lookAgain(now time.Time) {
	s.look = false
	st, ok, running := s.stall()
	if s.blocked = running; running || !ok {
		s.next, s.stalled = time.Time{}, stallID{}
		if running && len(s.pods) > 1 {
			s.next = now.Add(leastLook)
		}
		return
	}
	s.notice(st.stallID, now)
	s.next = s.dueAt(st)
	if !s.asked && st.Silent && st.half.Before(s.next) {
		s.next = later(st.half, now)
	}
}

// notice remembers since when a stall has been known.
func (s *state) notice(id stallID, now time.Time) {
	if id != s.stalled || s.found.IsZero() {
		s.stalled, s.found = id, now
		s.asked, s.reason, s.message = false, "", ""
	}
}

// dueAt is when the wait gives up.
func (s *state) dueAt(st stall) time.Time {
	limit := st.due.Sub(st.Since)
	if !st.unknown {
		limit = min(limit, leastLook)
	}
	return later(st.due, s.found.Add(limit))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
