package kubelet

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// status builds the pod's status from the state of its containers. What others
// write into it (conditions such as DisruptionTarget) is kept.
func (w *podWorker) status(now time.Time) corev1.PodStatus {
	s := *w.pod.Status.DeepCopy()
	s.Phase = w.phase()
	s.StartTime = ptr.To(seconds(w.startTime))
	if w.node != nil {
		s.HostIP, s.HostIPs = w.node.ip, []corev1.HostIP{{IP: w.node.ip}}
	}
	if w.podIP != "" {
		s.PodIP, s.PodIPs = w.podIP, []corev1.PodIP{{IP: w.podIP}}
	}
	if s.QOSClass == "" {
		s.QOSClass = qosClass(&w.pod.Spec)
	}
	if s.Phase == corev1.PodFailed && w.reason != "" {
		s.Reason, s.Message = w.reason, w.message
	}
	s.InitContainerStatuses, s.ContainerStatuses = nil, nil
	initialized, ready := true, true
	for _, c := range w.containers {
		if c.role == containers.RoleMain {
			s.ContainerStatuses = append(s.ContainerStatuses, c.status(w))
			ready = ready && c.isRunning()
			continue
		}
		cs := c.status(w)
		s.InitContainerStatuses = append(s.InitContainerStatuses, cs)
		if c.role == containers.RoleSidecar {
			ready = ready && c.isRunning()
			initialized = initialized && (c.isRunning() || w.ranMain)
		} else {
			initialized = initialized && cs.Ready
		}
	}
	// The kubelet sorts these, and leaves the init containers in their order.
	slices.SortFunc(s.ContainerStatuses, func(a, b corev1.ContainerStatus) int { return strings.Compare(a.Name, b.Name) })
	w.conditions(&s, initialized || w.wasInitialized(), ready, now)
	return s
}

func (w *podWorker) conditions(s *corev1.PodStatus, initialized, ready bool, now time.Time) {
	sandbox := w.podIP != "" && !w.done.Load()
	phase := s.Phase
	if w.ending && !w.endAt.IsZero() {
		phase = w.finalPhase() // these do not wait until the phase is published
	}
	reason, message := "", ""
	switch {
	case phase == corev1.PodSucceeded:
		reason = "PodCompleted"
		initialized, ready = true, false
	case phase == corev1.PodFailed:
		reason = "PodFailed"
		ready = false
	case !ready:
		reason = "ContainersNotReady"
		message = "containers with unready status: ["
		sep := ""
		for _, c := range s.ContainerStatuses {
			if !c.Ready {
				message += sep + c.Name
				sep = " "
			}
		}
		message += "]"
	}
	initReason := ""
	switch {
	case phase == corev1.PodSucceeded:
		initReason = reason
	case !initialized:
		initReason = "ContainersNotInitialized"
	}
	set := func(kind corev1.PodConditionType, value bool, reason, message string) {
		setCondition(s, corev1.PodCondition{Type: kind, Status: boolStatus(value), Reason: reason, Message: message}, now)
	}
	set(corev1.PodReadyToStartContainers, sandbox, "", "")
	set(corev1.PodInitialized, initialized, initReason, "")
	set(corev1.PodReady, ready, reason, message)
	set(corev1.ContainersReady, ready, reason, message)
	set(corev1.PodScheduled, true, "", "")
	if registry.MayRestartAll(&w.pod.Spec) {
		setCondition(s, w.restartingAll(phase), now)
	}
	if !w.done.Load() {
		return
	}
	for _, extra := range w.extra {
		setCondition(s, extra, now)
	}
}

// phase is the phase that the kubelet publishes. It withholds the final one, with its
// reason and the condition DisruptionTarget, until no container can run any more.
func (w *podWorker) phase() corev1.PodPhase {
	if !w.done.Load() {
		if w.begun() {
			return corev1.PodRunning
		}
		return corev1.PodPending
	}
	return w.finalPhase()
}

// finalPhase is the phase in which the pod ends. The exit codes decide it even of a pod
// that is evicted: if all containers answer SIGTERM with 0, it has succeeded.
func (w *podWorker) finalPhase() corev1.PodPhase {
	if w.reason == reasonDeadline {
		return corev1.PodFailed
	}
	for _, c := range w.containers {
		if c.role == containers.RoleMain && (!c.ended() || c.terminated.ExitCode != 0) {
			return corev1.PodFailed
		}
	}
	return corev1.PodSucceeded
}

// begun reports whether every container has been started at least once, and no init
// container is running, as it does again when all containers are restarted. Until then the
// pod's phase is Pending.
func (w *podWorker) begun() bool {
	for _, c := range w.containers {
		if c.role != containers.RoleSidecar && !c.isRunning() && !c.ended() && c.last == nil || c.role == containers.RoleInit && c.isRunning() {
			return false
		}
	}
	return true
}

// setCondition replaces the condition of that type; the transition time moves
// only if the status does.
func setCondition(s *corev1.PodStatus, c corev1.PodCondition, now time.Time) {
	for i := range s.Conditions {
		have := &s.Conditions[i]
		if have.Type != c.Type {
			continue
		}
		c.LastTransitionTime = have.LastTransitionTime
		if have.Status != c.Status {
			c.LastTransitionTime = seconds(now)
		}
		*have = c
		return
	}
	c.LastTransitionTime = seconds(now)
	s.Conditions = append(s.Conditions, c)
}

func boolStatus(b bool) corev1.ConditionStatus {
	if b {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

// qosClass is Guaranteed when every container's requests equal its limits for
// CPU and memory, BestEffort when none has any, Burstable otherwise.
func qosClass(spec *corev1.PodSpec) corev1.PodQOSClass {
	some, all := false, true
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for _, c := range list {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				request, asked := c.Resources.Requests[name]
				limit, limited := c.Resources.Limits[name]
				some = some || asked || limited
				all = all && limited && (!asked || request.Equal(limit))
			}
		}
	}
	switch {
	case !some:
		return corev1.PodQOSBestEffort
	case all:
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

// disruption is the condition that marks a pod ended by the cluster (KEP-3329).
func disruption(reason, message string) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: message}
}

var zero = metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}
