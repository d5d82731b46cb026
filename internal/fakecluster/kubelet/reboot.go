package kubelet

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// How containerd reports a container that ran when the machine went down.
const (
	exitLost   = 255
	reasonLost = "Unknown"
)

// reboot gives the worker of a pod that ran before this program was started the state that
// the pod's status shows. Its containers are dead, as after a reboot of the node:
//
//   - a pod that never restarts its containers, or is being deleted, ends;
//   - in any other, the kubelet makes a new sandbox, in which the init containers run again,
//     and then the containers that have not ended for good.
func (w *podWorker) reboot(k *Kubelet, now time.Time) {
	began := false
	for _, c := range w.containers {
		last := k.lastInstance(w.pod, c.spec.Name)
		if last < 0 {
			continue
		}
		began = true
		c.restore(statusOf(w.pod, c.spec.Name), last, now)
		// A log that cannot be read is an error of the request for it.
		if logs, err := k.storedLogs(w.pod, c.spec.Name, last); err == nil && logs.now != nil {
			w.mu.Lock()
			w.logs[c.spec.Name] = logs
			w.mu.Unlock()
		}
		if c.running != nil {
			c.end(w, containers.Exit{Code: exitLost, Reason: reasonLost}, now)
		}
	}
	if !began {
		return
	}
	if started := w.pod.Status.StartTime; started != nil {
		w.startTime = started.Time
	}
	if w.pod.Spec.RestartPolicy == corev1.RestartPolicyNever || w.pod.DeletionTimestamp != nil || !w.unfinished() {
		w.ending = true
		w.loseMains()
		return
	}
	for _, c := range w.containers {
		if c.ended() && (c.role == containers.RoleInit || w.restarts(c)) {
			c.again(0, now)
		}
	}
}

// restore gives the container the state of its status, or that of an instance that was
// started after the status was written.
func (c *container) restore(status *corev1.ContainerStatus, last int32, now time.Time) {
	c.restarts = last
	if status == nil {
		status = &corev1.ContainerStatus{RestartCount: -1}
	}
	c.last = status.LastTerminationState.Terminated
	if hasRun(status) && status.RestartCount == last {
		c.waiting, c.running, c.terminated = status.State.Waiting, status.State.Running, status.State.Terminated
		return
	}
	if status.State.Terminated != nil {
		c.last = status.State.Terminated
	}
	c.running = &corev1.ContainerStateRunning{StartedAt: seconds(now)}
}

// unfinished reports whether a main container is to run, for the first time or again.
func (w *podWorker) unfinished() bool {
	for _, c := range w.containers {
		if c.role == containers.RoleMain && (!c.ended() || w.restarts(c)) {
			return true
		}
	}
	return false
}

// loseMains ends the main containers that will not be started. If an init container has
// failed, they stay waiting.
func (w *podWorker) loseMains() {
	for _, c := range w.containers {
		if c.role == containers.RoleInit && (!c.ended() || c.terminated.ExitCode != 0) {
			return
		}
	}
	for _, c := range w.containers {
		if c.role == containers.RoleMain && !c.ended() {
			c.lost()
		}
	}
}

// statusOf returns the status of a container, or nil.
func statusOf(pod *corev1.Pod, container string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			if list[i].Name == container {
				return &list[i]
			}
		}
	}
	return nil
}

// hasRun reports whether an instance of the container has been started.
func hasRun(s *corev1.ContainerStatus) bool {
	return s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil
}
