package kubelet

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// stopAll stops the main and init containers, then the sidecars, and ends the pod once
// none is running.
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
		// Sidecars are stopped one at a time, in reverse order.
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

// forgetReasons resets the waiting reason of containers that have never started, as the
// kubelet does once their pod is deleted: a failed pull or a missing Secret is not in
// the pod's last status. It reports whether it has reset any.
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

// minGrace is the kubelet's minimum grace period for containers of a deleted pod.
const minGrace = time.Second

// grace returns how much time containers have left to end by themselves.
func (w *podWorker) grace(now time.Time) time.Duration {
	if w.reason == reasonEvicted {
		return 0
	}
	if w.pod.DeletionTimestamp != nil {
		// The kubelet sends SIGTERM before it kills, even if the pod is deleted with grace
		// period 0.
		return max(minGrace, w.pod.DeletionTimestamp.Sub(now))
	}
	if s := w.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// deadline returns the rest of the pod's activeDeadlineSeconds.
func (w *podWorker) deadline(now time.Time) (time.Duration, bool) {
	if w.pod.Spec.ActiveDeadlineSeconds == nil {
		return 0, false
	}
	allowed := time.Duration(*w.pod.Spec.ActiveDeadlineSeconds) * time.Second
	return allowed - now.Sub(w.startTime), true
}

// fail ends the pod for a reason of the kubelet.
func (w *podWorker) fail(reason, message string, conditions ...corev1.PodCondition) {
	w.ending, w.reason, w.message, w.extra = true, reason, message, conditions
}
