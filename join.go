package kontinue

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/watch"
)

// view is what is known of one Job and its pods, folded from events and reads
// that may come in any order between the two kinds. Its verdict depends on the
// state alone, so any interleaving that ends in the same state ends in the
// same result.
type view struct {
	job     *watch.Job // nil until the Job was seen
	watched bool       // the Job is in the watch or the cache
	deleted bool       // the watch has told of its deletion, or that it is no longer selected
	gone    bool       // the API server has said that it does not exist
	pods    []podView
}

// podView is the last known state of one pod of the Job.
type podView struct {
	*watch.Pod
	deleted bool          // it is gone; a pod's last state outlives it here
	pending *pods.Outcome // why it has not started, when that was last told
}

// keepReason notes why the pod has not started, before a newer state takes the
// place of the known one: when a pod is deleted before that, the kubelet takes
// the reason out of its status.
func (p *podView) keepReason(next corev1.PodPhase) {
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
func (p podView) outcome() pods.Outcome {
	o := pods.Inspect(p.Object())
	o.Deleted = p.deleted
	if p.pending != nil {
		o = o.Unstarted(*p.pending)
	}
	return o
}

// settled reports that the pod's state is final: it has ended and the Job
// controller has counted it (it removes its tracking finalizer for that,
// KEP-2307), or it is gone.
func (p podView) settled() bool { return p.deleted || p.ended() && pods.Settled(p.Object()) }

// ended reports that the pod has ended, counted or not.
func (p podView) ended() bool {
	return p.Phase == corev1.PodSucceeded || p.Phase == corev1.PodFailed
}

// apply folds one event in and reports whether it told something new.
func (v *view) apply(e event) bool {
	if e.job != nil {
		return v.applyJob(e.job, e.deleted)
	}
	return v.applyPod(e.pod, e.deleted)
}

func (v *view) applyJob(j *watch.Job, deleted bool) bool {
	if v.job != nil && !deleted && older(j.ResourceVersion, v.job.ResourceVersion) {
		return false
	}
	news := v.job == nil || deleted || j.ResourceVersion != v.job.ResourceVersion || j.ResourceVersion == ""
	v.deleted = deleted
	// A tombstone may carry an older state than the one that was seen.
	if v.job == nil || !older(j.ResourceVersion, v.job.ResourceVersion) {
		v.job = j
	}
	return news
}

func (v *view) applyPod(p *watch.Pod, deleted bool) bool {
	for i := range v.pods {
		known := &v.pods[i]
		if known.UID != p.UID {
			continue
		}
		stale := older(p.ResourceVersion, known.ResourceVersion)
		if known.deleted || stale && !deleted {
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
	v.pods = append(v.pods, podView{Pod: p, deleted: deleted})
	return true
}

// older compares resource versions of one object. Where they cannot be
// compared, as on client-go's fake clientset, nothing is older: the order of
// arrival stands.
func older(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c < 0
}

// verdict is what a view amounts to.
type verdict int

const (
	undecided verdict = iota
	// unsettled: the Job has ended, but pods that it counts are not final yet in
	// this process.
	unsettled
	// settled: the Job and all the pods that it counts are final.
	settled
	// vanished: the watch shows the Job no longer, and it had not ended. It may
	// have been deleted, or have lost a label that the watch selects on.
	vanished
	// lost: the Job is gone, or going, and never ended.
	lost
)

// verdict decides from the state. The Job's conditions Complete and Failed are
// the only proof of its end; its counters then say how many pods to expect.
func (v *view) verdict() verdict {
	if v.job == nil {
		if v.gone {
			return lost
		}
		return undecided
	}
	status := jobs.Classify(&v.job.Status)
	switch {
	case status.Terminal:
	case v.gone || v.job.DeletionTimestamp != nil:
		return lost
	case v.deleted:
		return vanished
	default:
		return undecided
	}
	if v.job.Record != "" {
		return settled // another worker has recorded it, and that is what counts
	}
	if v.missing(status) > 0 {
		return unsettled
	}
	for _, p := range v.pods {
		if !p.settled() {
			return unsettled
		}
	}
	return settled
}

// missing is how many of the pods that the Job counted are not known to be
// final. Pods that a podFailurePolicy ignores, or that a suspension removed, are
// final and not counted, so those that succeeded are counted apart; a pod that
// was evicted can be Succeeded and counted as failed, so the others are not.
func (v *view) missing(status jobs.Status) int {
	final, succeeded := 0, 0
	for _, p := range v.pods {
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

// confirm takes in what the API server holds under the Job's name.
func (v *view) confirm(live *watch.Job, uid types.UID) {
	if live.UID != uid {
		v.gone = true
		return
	}
	v.deleted = false
	v.applyJob(live, false)
}

// deadline is the Job's activeDeadlineSeconds while they count: not before the
// Job has started, and not while it is suspended.
func (v *view) deadline() time.Duration {
	if v.job == nil || v.job.Deadline == nil || v.job.Suspended || v.job.Status.StartTime == nil {
		return 0
	}
	return time.Duration(*v.job.Deadline) * time.Second
}

// relist marks the pods that a consistent LIST did not hold as gone, and folds
// in those that it did.
func (v *view) relist(listed []*watch.Pod) {
	there := make(map[types.UID]bool, len(listed))
	for _, p := range listed {
		there[p.UID] = true
		v.applyPod(p, false)
	}
	for i := range v.pods {
		if !there[v.pods[i].UID] {
			v.pods[i].deleted = true
		}
	}
}
