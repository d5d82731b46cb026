package kubelet

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// What the kubelet writes when it restarts all containers of a pod (KEP-5532).
const (
	reasonRestartingAll  = "RestartingAllContainers"
	messageRestartingAll = "The container is removed because RestartAllContainers in place"
	reasonRestartAll     = "RestartAllContainersStarted"
	messageRestartAll    = "container exited with restart policy rule"
)

// restartAll kills and removes all containers once one has ended with an exit code for which
// a rule says so. It reports whether that is under way, so that no container may start.
//
// Both the end of that container and the removal of all are in a status of their own.
func (w *podWorker) restartAll(k *Kubelet, now time.Time, next *soonest) bool {
	if !w.resetting {
		for _, c := range w.containers {
			if c.reset {
				c.await("", "")
			}
		}
		if !slices.ContainsFunc(w.containers, func(c *container) bool {
			return c.ended() && registry.RestartsAll(c.spec, c.terminated.ExitCode)
		}) {
			return false
		}
		w.resetting, w.resetAt = true, now.Add(k.opts.PhaseDelay)
		next.in(max(k.opts.PhaseDelay, time.Nanosecond))
		return true
	}
	if wait := w.resetAt.Sub(now); wait > 0 {
		next.in(wait)
		return true
	}
	w.killing = true
	if w.killAll(); w.alive() > 0 {
		return true // its exits lead back here
	}
	w.collect(k, now)
	for _, c := range w.containers {
		c.remove()
	}
	w.resetting, w.killing, w.ranMain = false, false, false
	next.in(time.Nanosecond)
	return true
}

// remove forgets the instance of a container that is to start again with all others.
func (c *container) remove() {
	c.notBefore = time.Time{}
	if c.running == nil && c.terminated == nil {
		return
	}
	c.running, c.terminated, c.process = nil, nil, nil
	c.last = &corev1.ContainerStateTerminated{ExitCode: containers.ExitKilled, Reason: reasonRestartingAll, Message: messageRestartingAll}
	c.asked = time.Time{}
	c.restarts++
	c.reset = true
	c.await(reasonRestartingAll, messageRestartingAll)
}

// restartingAll is the condition of a pod that has such a rule.
func (w *podWorker) restartingAll(phase corev1.PodPhase) corev1.PodCondition {
	condition := corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: corev1.ConditionFalse}
	switch {
	case phase == corev1.PodSucceeded:
		condition.Reason = "PodCompleted"
	case phase == corev1.PodFailed:
		condition.Reason = "PodFailed"
	case w.resetting:
		condition.Status, condition.Reason, condition.Message = corev1.ConditionTrue, reasonRestartAll, messageRestartAll
	}
	return condition
}

// wasInitialized reports whether the pod had been initialized before all its containers were
// restarted, which its condition keeps.
func (w *podWorker) wasInitialized() bool {
	return registry.MayRestartAll(&w.pod.Spec) && slices.ContainsFunc(w.pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodInitialized && c.Status == corev1.ConditionTrue
	})
}
