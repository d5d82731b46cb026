package step

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/watch"
)

// Event is one change of a Job or a Pod that the watch delivered.
type Event struct {
	job     *watch.Job
	pod     *watch.Pod
	deleted bool
}

// router dispatches the watch's changes to the futures of their Jobs.
type router struct {
	dispatcher *dispatch.Dispatcher[Event]
	room       *Room
}

func (r router) JobChanged(j *watch.Job) {
	r.dispatcher.Dispatch(j.UID, Event{job: j})
	r.room.changed()
}

func (r router) JobDeleted(j *watch.Job) {
	r.dispatcher.Dispatch(j.UID, Event{job: j, deleted: true})
	r.room.changed()
}

func (r router) PodChanged(p *watch.Pod) { r.dispatcher.Dispatch(p.JobUID, Event{pod: p}) }
func (r router) PodDeleted(p *watch.Pod) {
	r.dispatcher.Dispatch(p.JobUID, Event{pod: p, deleted: true})
}

// state is the known state of one Job and its pods, folded from events and reads. Events
// of the Job and of its pods may come in any relative order. The decision depends on the
// state alone, so any order that leads to the same state leads to the same result.
type state struct {
	job        *watch.Job // nil until the Job was seen
	recorded   bool       // a readable record is on it
	watched    bool       // the watch or the cache shows the Job
	unselected bool       // the watch no longer shows the Job, which was not read since
	unread     bool       // read the Job at once, since the watch may have stopped showing it
	deletions  int        // DELETED events of the Job so far
	gone       bool       // the API server has responded that it does not exist
	going      bool       // or that it is being deleted
	until      Until      // what is waited for
	held       bool       // containers that were injected have held its failed pod open for too long
	pods       []podState
	tally
	starting
	queueing *queueing // nil until it was read
}

// podState is the last known state of one pod of the Job.
type podState struct {
	*watch.Pod
	deleted bool          // it is gone; its last state is kept
	pending *pods.Outcome // why it had not started, when that was last known
	stopped time.Time     // when its deletion began, as an earlier state has shown
	gated   bool          // an earlier state had scheduling gates
}

// keepReason saves why the pod has not started before a newer state replaces the known
// one: if a pod is deleted before it starts, the kubelet removes the reason from its
// status.
func (p *podState) keepReason(next corev1.PodPhase) {
	if p.Phase != corev1.PodPending {
		return
	}
	before := pods.Inspect(p.Object())
	why, stuck := before.Stuck()
	p.gated = p.gated || before.Reason == corev1.PodReasonSchedulingGated
	switch {
	case p.pending == nil && (stuck || next == corev1.PodFailed),
		stuck && why.Reason != "ImagePullBackOff": // which only repeats an ErrImagePull
		p.pending = &before
	}
}

// keepDeletion saves when the deletion of the pod began before a newer state replaces the
// known one: see [pods.Outcome.DeletedSince].
func (p *podState) keepDeletion() {
	if p.DeletionTimestamp != nil && p.stopped.IsZero() {
		p.stopped = pods.Inspect(p.Object()).StoppedAt
	}
}

// outcome returns the pod's outcome.
func (p podState) outcome() pods.Outcome {
	o := pods.Inspect(p.Object()).DeletedSince(p.stopped)
	o.Deleted = p.deleted
	if p.pending != nil {
		o = o.Unstarted(*p.pending)
	}
	return o
}

// settled reports whether the pod's state is final: it has ended and the Job
// controller has counted it (it removes its tracking finalizer for that,
// KEP-2307), or it is gone.
func (p podState) settled() bool { return p.deleted || p.ended() && pods.Settled(p.Object()) }

// ended reports whether the pod has ended, counted or not.
func (p podState) ended() bool {
	return p.Phase == corev1.PodSucceeded || p.Phase == corev1.PodFailed
}

// apply folds in one event, and reports whether the state has changed.
func (s *state) apply(e Event) bool {
	if e.job != nil {
		return s.applyJob(e.job, e.deleted)
	}
	return s.applyPod(e.pod, e.deleted)
}

// applyJob does not use the Job of a DELETED event: that has the content from before
// the change after which the watch no longer selects the Job.
func (s *state) applyJob(j *watch.Job, deleted bool) bool {
	s.watched = !deleted
	if deleted {
		s.unselected, s.unread = true, true
		s.deletions++
		return true
	}
	back := s.unselected
	s.unselected, s.unread = false, false
	return s.take(j) || back
}

// take keeps the newer of two states of the Job, and reports whether the state has
// changed.
func (s *state) take(j *watch.Job) bool {
	if s.job != nil && older(j.ResourceVersion, s.job.ResourceVersion) {
		return false
	}
	news := s.job == nil || j.ResourceVersion != s.job.ResourceVersion || j.ResourceVersion == ""
	if j.DeletionTimestamp != nil && !s.going && (s.job == nil || s.job.DeletionTimestamp == nil) {
		s.unread = true
	}
	s.job, s.recorded = j, record.Readable(j.Record)
	return news
}

func (s *state) applyPod(p *watch.Pod, deleted bool) bool {
	i := s.find(p.UID)
	if i < 0 {
		s.add(podState{Pod: p, deleted: deleted})
		return true
	}
	known := &s.pods[i]
	stale := older(p.ResourceVersion, known.ResourceVersion)
	// A deleted pod reappears if it had only lost a label.
	if stale && !deleted || known.deleted && !older(known.ResourceVersion, p.ResourceVersion) {
		return false
	}
	news := deleted || p.ResourceVersion != known.ResourceVersion || p.ResourceVersion == ""
	s.change(i, func(known *podState) {
		known.deleted = deleted
		if !stale {
			known.keepReason(p.Phase)
			known.keepDeletion()
			known.Pod = p
		}
	})
	return news
}

// older compares resource versions of one object. If they cannot be compared, as with
// client-go's fake clientset, neither is older, and the order of arrival applies.
func older(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c < 0
}

// decision is the conclusion from a state.
type decision int

const (
	running decision = iota
	// podsPending: the Job has ended, but pods that it counts are not final yet in
	// this process.
	podsPending
	// done: a record is on the Job, or the Job and all the pods that it counts are
	// final, or the Job's only pod is over: see early.
	done
	// unobserved: the watch no longer shows the Job, which was deleted, has its record, or
	// has lost a label that the watch selects on; or it shows that the deletion of the Job
	// has begun, before which it may have ended. Only a read decides.
	unobserved
	// deleted: the Job is gone or being deleted, and had not ended.
	deleted
)

// status is what the Job, which was seen, says of itself.
func (s *state) status() jobs.Status {
	return jobs.Classify(&s.job.Status).Held(s.job.Stopped(), s.job.Suspended)
}

// decision decides from the state alone. A readable record comes first. Without one,
// the Job's conditions Complete and Failed are the only proof of its end; its counters
// then say how many pods to expect.
func (s *state) decision() decision {
	if s.job == nil {
		switch {
		case s.gone:
			return deleted
		case s.unselected:
			return unobserved
		default:
			return running
		}
	}
	if s.recorded {
		return done
	}
	status := s.status()
	switch {
	case status.Terminal && s.podsFinal(status):
		return done
	case s.unselected && !s.gone:
		return unobserved
	case status.Terminal:
		return podsPending
	case s.gone || s.going:
		return deleted
	case s.job.DeletionTimestamp != nil:
		return unobserved
	case s.early(), s.abandoned:
		return done
	default:
		return running
	}
}

// podsFinal reports whether the pods that the Job counts are known, and all known
// ones are final.
func (s *state) podsFinal(status jobs.Status) bool {
	return s.missing(status) == 0 && s.settled == len(s.pods)
}

// missing returns how many of the pods that the Job counted are not known to be final.
// Pods that a podFailurePolicy ignores, or that a suspension removed, are final but not
// counted, so succeeded pods are compared separately. An evicted pod can be Succeeded
// and counted as failed, so failed pods are not compared separately.
//
// Another controller runs its pods in another cluster: none is waited for.
func (s *state) missing(status jobs.Status) int {
	if s.job.ManagedBy != "" {
		return 0
	}
	return max(0,
		int(status.Succeeded)+int(status.FailedPods)-s.settled,
		int(status.Succeeded)-s.succeeded)
}

// read folds in the object that the API server has under the Job's name; nil means
// none. deletions is their number before the read: a DELETED event since then is newer.
func (s *state) read(live *watch.Job, uid types.UID, deletions int) {
	if live == nil || live.UID != uid {
		s.gone = true
		return
	}
	s.going = live.DeletionTimestamp != nil
	s.take(live)
	if s.deletions == deletions {
		s.unselected, s.unread = false, false
	}
}

// relist folds in the pods of a consistent LIST, and marks all others as gone.
func (s *state) relist(listed []*watch.Pod) {
	there := make(map[types.UID]bool, len(listed))
	for _, p := range listed {
		there[p.UID] = true
		s.applyPod(p, false)
	}
	for i := range s.pods {
		if !there[s.pods[i].UID] {
			s.change(i, func(p *podState) { p.deleted = true })
		}
	}
}
