package kubelet

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// stopAll stops the main and init containers, then the sidecars, and reaches
// the end once none runs.
func (w *podWorker) stopAll(now time.Time) {
	grace := w.grace(now)
	mains := 0
	for _, c := range w.containers {
		if c.role != containers.RoleSidecar && c.isRunning() {
			mains++
			c.stop(grace)
		}
	}
	if mains == 0 {
		// Sidecars go in the reverse of their order, the next when one is gone.
		for i := len(w.containers) - 1; i >= 0; i-- {
			if c := w.containers[i]; c.role == containers.RoleSidecar && c.isRunning() {
				c.stop(grace)
				return
			}
		}
	}
	if w.running() > 0 {
		return
	}
	if w.pod.DeletionTimestamp != nil && w.forgetReasons() {
		return // the status that is written for it leads back here
	}
	for _, c := range w.containers {
		if !c.ended() && (w.pod.DeletionTimestamp != nil || w.reason != "") {
			c.lost()
		}
	}
	w.done.Store(true)
}

// forgetReasons gives containers that wait to be started for the first time the
// reason that they began with, as the kubelet does once their pod is deleted: a
// failed pull or a missing Secret is not in the pod's last status. It reports
// whether there was something to forget.
func (w *podWorker) forgetReasons() bool {
	forgot := false
	for _, c := range w.containers {
		if c.waiting == nil || c.ended() || c.last != nil {
			continue
		}
		reason := reasonContainerCreating
		if c.role == containers.RoleMain && w.containers[0].role != containers.RoleMain {
			reason = reasonPodInitializing
		}
		if c.waiting.Reason != reason {
			c.waiting = &corev1.ContainerStateWaiting{Reason: reason}
			forgot = true
		}
	}
	return forgot
}

// minGrace is the least that the kubelet gives to containers of a deleted pod.
const minGrace = time.Second

// grace is how much time containers have left to end by themselves.
func (w *podWorker) grace(now time.Time) time.Duration {
	if w.reason == reasonEvicted {
		return 0
	}
	if w.pod.DeletionTimestamp != nil {
		// The kubelet asks before it kills, also when the pod is deleted with
		// grace period 0.
		return max(minGrace, w.pod.DeletionTimestamp.Sub(now))
	}
	if s := w.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// deadline returns what is left of the pod's activeDeadlineSeconds.
func (w *podWorker) deadline(now time.Time) (time.Duration, bool) {
	if w.pod.Spec.ActiveDeadlineSeconds == nil {
		return 0, false
	}
	allowed := time.Duration(*w.pod.Spec.ActiveDeadlineSeconds) * time.Second
	return allowed - now.Sub(w.startTime), true
}

// fail ends the pod for a reason of the kubelet's own.
func (w *podWorker) fail(reason, message string, conditions ...corev1.PodCondition) {
	w.ending, w.reason, w.message, w.extra = true, reason, message, conditions
}
