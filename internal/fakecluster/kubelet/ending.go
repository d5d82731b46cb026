package kubelet

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// terminate ends a pod whose containers are to be stopped for good.
//
// A pod that has ended by itself or is past its deadline is ended PhaseDelay after its
// status showed that. One that is deleted or evicted is ended at once, and its status
// shows nothing before all its containers have ended.
func (w *podWorker) terminate(k *Kubelet, now time.Time, next *soonest) {
	if wait := w.endAt.Sub(now); wait > 0 {
		next.in(wait)
		return
	}
	if !w.killing {
		w.killing = true
		w.collect(k, now) // the kubelet looks at the containers before it stops them
	}
	if w.stopAll(now) {
		return
	}
	deleted := w.pod.DeletionTimestamp != nil
	if w.endAt.IsZero() && !deleted && w.reason == "" && k.opts.PhaseDelay > 0 {
		w.endAt = now.Add(k.opts.PhaseDelay)
		next.in(k.opts.PhaseDelay)
		return
	}
	if deleted && w.forgetReasons() {
		return // the status that is written for it leads back here
	}
	if wait := w.untilLost(k, now); deleted && wait > 0 {
		next.in(wait)
		return
	}
	for _, c := range w.containers {
		if !c.ended() && (deleted || w.reason != "") {
			c.lost()
		}
	}
	w.done.Store(true)
	if w.removeAt = now; w.lostAt.IsZero() {
		w.removeAt = now.Add(k.opts.RemovalDelay)
	}
}

// stopAll stops the main and init containers, then the sidecars. It reports whether
// any is still alive.
func (w *podWorker) stopAll(now time.Time) bool {
	grace := w.grace(now)
	mains := 0
	for _, c := range w.containers {
		if c.role != containers.RoleSidecar && c.isAlive() {
			mains++
			c.stop(w, grace)
		}
	}
	if mains == 0 {
		// Sidecars are stopped one at a time, in reverse order.
		for i := len(w.containers) - 1; i >= 0; i-- {
			if c := w.containers[i]; c.role == containers.RoleSidecar && c.isAlive() {
				c.stop(w, grace)
				return true
			}
		}
	}
	return w.alive() > 0 || w.running() > 0
}

// untilLost returns how much longer containers that have never started keep their
// waiting state. The kubelet gives them up when it has cleaned up after the pod, which
// is also when it removes a deleted pod.
func (w *podWorker) untilLost(k *Kubelet, now time.Time) time.Duration {
	if w.lostAt.IsZero() && w.endAt.IsZero() && slices.ContainsFunc(w.containers, func(c *container) bool { return !c.ended() && c.last == nil }) {
		w.lostAt = now.Add(k.opts.RemovalDelay)
	}
	return w.lostAt.Sub(now)
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

const (
	// minGrace is the kubelet's minimum grace period for containers of a deleted pod.
	minGrace = time.Second
	// evictionGrace is the grace period when the node is short of a resource now.
	evictionGrace = time.Second
)

// grace returns how much time containers have left to end by themselves.
func (w *podWorker) grace(now time.Time) time.Duration {
	if w.reason == reasonEvicted {
		return evictionGrace
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

// killAll kills every instance at once, like the death of the node.
func (w *podWorker) killAll() {
	for _, c := range w.containers {
		c.stop(w, 0)
	}
}
