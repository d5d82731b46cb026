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

// Event is one change that the watch brought: of a Job or of a Pod.
type Event struct {
	job     *watch.Job
	pod     *watch.Pod
	deleted bool
}

// router dispatches the watch's changes to the futures of the Jobs they concern.
type router struct{ dispatcher *dispatch.Dispatcher[Event] }

func (r router) JobChanged(j *watch.Job) { r.dispatcher.Dispatch(j.UID, Event{job: j}) }
func (r router) JobDeleted(j *watch.Job) { r.dispatcher.Dispatch(j.UID, Event{job: j, deleted: true}) }
func (r router) PodChanged(p *watch.Pod) { r.dispatcher.Dispatch(p.JobUID, Event{pod: p}) }
func (r router) PodDeleted(p *watch.Pod) {
	r.dispatcher.Dispatch(p.JobUID, Event{pod: p, deleted: true})
}

// state is what is known of one Job and its pods, folded from events and reads
// that may come in any order between the two kinds. Its decision depends on the
// state alone, so any interleaving that ends in the same state ends in the
// same result.
type state struct {
	job        *watch.Job // nil until the Job was seen
	recorded   bool       // a readable record is on it
	watched    bool       // the watch or the cache shows the Job
	unselected bool       // the watch no longer does, and the Job was not read since
	unread     bool       // it is to be read at once: the watch may have ceased to show it
	deletions  int        // DELETED events of the Job so far
	gone       bool       // the API server has answered that it does not exist
	pods       []podState
}

// podState is the last known state of one pod of the Job.
type podState struct {
	*watch.Pod
	deleted bool          // it is gone; a pod's last state outlives it here
	pending *pods.Outcome // why it had not started, when that was last known
}

// keepReason notes why the pod has not started, before a newer state takes the
// place of the known one: when a pod is deleted before that, the kubelet takes
// the reason out of its status.
func (p *podState) keepReason(next corev1.PodPhase) {
	if p.Phase != corev1.PodPending {
		return
	}
	before := pods.Inspect(p.Object())
	why, stuck := before.Stuck()
	switch {
	case p.pending == nil && (stuck || next == corev1.PodFailed),
		stuck && why.Reason != "ImagePullBackOff": // which only repeats an ErrImagePull
		p.pending = &before
	}
}

// outcome sums the pod up.
func (p podState) outcome() pods.Outcome {
	o := pods.Inspect(p.Object())
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

// apply folds one event in and reports whether it brought something new.
func (s *state) apply(e Event) bool {
	if e.job != nil {
		return s.applyJob(e.job, e.deleted)
	}
	return s.applyPod(e.pod, e.deleted)
}

// applyJob takes nothing from the Job of a DELETED event: it carries the content from
// before the change by which the watch ceased to select the Job.
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

// take keeps the newer of two states of the Job, and reports whether that is news.
func (s *state) take(j *watch.Job) bool {
	if s.job != nil && older(j.ResourceVersion, s.job.ResourceVersion) {
		return false
	}
	news := s.job == nil || j.ResourceVersion != s.job.ResourceVersion || j.ResourceVersion == ""
	s.job, s.recorded = j, record.Readable(j.Record)
	return news
}

func (s *state) applyPod(p *watch.Pod, deleted bool) bool {
	for i := range s.pods {
		known := &s.pods[i]
		if known.UID != p.UID {
			continue
		}
		stale := older(p.ResourceVersion, known.ResourceVersion)
		// A pod that was deleted comes back if it had lost a label.
		if stale && !deleted || known.deleted && !older(known.ResourceVersion, p.ResourceVersion) {
			return false
		}
		news := deleted || p.ResourceVersion != known.ResourceVersion || p.ResourceVersion == ""
		known.deleted = deleted
		if !stale {
			known.keepReason(p.Phase)
			known.Pod = p
		}
		return news
	}
	s.pods = append(s.pods, podState{Pod: p, deleted: deleted})
	return true
}

// older compares resource versions of one object. Where they cannot be
// compared, as on client-go's fake clientset, nothing is older: the order of
// arrival stands.
func older(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c < 0
}

// decision is what a state amounts to.
type decision int

const (
	running decision = iota
	// podsPending: the Job has ended, but pods that it counts are not final yet in
	// this process.
	podsPending
	// done: a record is on the Job, or the Job and all the pods that it counts are
	// final.
	done
	// unobserved: the watch no longer shows the Job. It may have been deleted, have
	// its record, or have lost a label that the watch selects on.
	unobserved
	// deleted: the Job is gone, or going, and never ended.
	deleted
)

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
	status := jobs.Classify(&s.job.Status)
	switch {
	case status.Terminal && s.podsFinal(status):
		return done
	case s.unselected && !s.gone:
		return unobserved
	case status.Terminal:
		return podsPending
	case s.gone || s.job.DeletionTimestamp != nil:
		return deleted
	default:
		return running
	}
}

// podsFinal reports whether the pods that the Job counts are known, and all known
// ones are final.
func (s *state) podsFinal(status jobs.Status) bool {
	if s.missing(status) > 0 {
		return false
	}
	for _, p := range s.pods {
		if !p.settled() {
			return false
		}
	}
	return true
}

// missing is how many of the pods that the Job counted are not known to be
// final. Pods that a podFailurePolicy ignores, or that a suspension removed, are
// final and not counted, so those that succeeded are counted apart; a pod that
// was evicted can be Succeeded and counted as failed, so the others are not.
func (s *state) missing(status jobs.Status) int {
	final, succeeded := 0, 0
	for _, p := range s.pods {
		if !p.settled() {
			continue
		}
		final++
		if p.Phase == corev1.PodSucceeded {
			succeeded++
		}
	}
	return max(0,
		int(status.Succeeded)+int(status.FailedPods)-final,
		int(status.Succeeded)-succeeded)
}

// read takes in what the API server held under the Job's name; nil means nothing.
// deletions is their number before the read: one that has come since is newer.
func (s *state) read(live *watch.Job, uid types.UID, deletions int) {
	if live == nil || live.UID != uid {
		s.gone = true
		return
	}
	s.take(live)
	if s.deletions == deletions {
		s.unselected, s.unread = false, false
	}
}

// deadline is the Job's activeDeadlineSeconds while they count: not before the
// Job has started, and not while it is suspended.
func (s *state) deadline() time.Duration {
	if s.job == nil || s.job.Deadline == nil || s.job.Suspended || s.job.Status.StartTime == nil {
		return 0
	}
	return time.Duration(*s.job.Deadline) * time.Second
}

// relist marks the pods that a consistent LIST did not hold as gone, and folds
// in those that it did.
func (s *state) relist(listed []*watch.Pod) {
	there := make(map[types.UID]bool, len(listed))
	for _, p := range listed {
		there[p.UID] = true
		s.applyPod(p, false)
	}
	for i := range s.pods {
		if !there[s.pods[i].UID] {
			s.pods[i].deleted = true
		}
	}
}
