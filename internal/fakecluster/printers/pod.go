package printers

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var podColumns = []metav1.TableColumnDefinition{
	nameColumn,
	column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
	column("Status", "The aggregate status of the containers in this pod."),
	column("Restarts", "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted."),
	ageColumn,
	wide("IP", corev1.PodStatus{}.SwaggerDoc()["podIP"]),
	wide("Node", corev1.PodSpec{}.SwaggerDoc()["nodeName"]),
	wide("Nominated Node", corev1.PodStatus{}.SwaggerDoc()["nominatedNodeName"]),
	wide("Readiness Gates", corev1.PodSpec{}.SwaggerDoc()["readinessGates"]),
}

func podRow(pod *corev1.Pod) metav1.TableRow {
	s := summarize(pod)
	ip := ""
	if len(pod.Status.PodIPs) > 0 {
		ip = pod.Status.PodIPs[0].IP
	}
	row := cells(pod.Name, fmt.Sprintf("%d/%d", s.ready, s.total), s.reason, s.restarts.String(), since(pod.CreationTimestamp),
		or(ip, none), or(pod.Spec.NodeName, none), or(pod.Status.NominatedNodeName, none), readinessGates(pod))
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		row.Conditions = completed(pod.Status.Phase, "The pod has completed successfully.")
	case corev1.PodFailed:
		row.Conditions = completed(pod.Status.Phase, "The pod failed.")
	}
	return row
}

func completed(phase corev1.PodPhase, message string) []metav1.TableRowCondition {
	return []metav1.TableRowCondition{{Type: metav1.RowCompleted, Status: metav1.ConditionTrue, Reason: string(phase), Message: message}}
}

func readinessGates(pod *corev1.Pod) string {
	gates := pod.Spec.ReadinessGates
	if len(gates) == 0 {
		return none
	}
	met := 0
	for _, gate := range gates {
		if conditionTrue(pod, gate.ConditionType) {
			met++
		}
	}
	return fmt.Sprintf("%d/%d", met, len(gates))
}

func conditionTrue(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// restarts counts the restarts of containers.
type restarts struct {
	n    int
	last metav1.Time
}

func (r *restarts) add(c corev1.ContainerStatus) {
	r.n += int(c.RestartCount)
	if t := c.LastTerminationState.Terminated; t != nil && r.last.Before(&t.FinishedAt) {
		r.last = t.FinishedAt
	}
}

// String returns the form of kubectl, such as "3 (2m ago)".
func (r restarts) String() string {
	if r.n == 0 || r.last.IsZero() {
		return fmt.Sprint(r.n)
	}
	return fmt.Sprintf("%d (%s ago)", r.n, since(r.last))
}

// summary is what kubectl shows of the containers of a pod.
type summary struct {
	ready, total int
	reason       string
	restarts     restarts
}

func summarize(pod *corev1.Pod) summary {
	s := summary{total: len(pod.Spec.Containers), reason: or(pod.Status.Reason, string(pod.Status.Phase))}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated {
			s.reason = corev1.PodReasonSchedulingGated
		}
	}
	sidecars := map[string]bool{}
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars[c.Name] = true
			s.total++
		}
	}
	ofSidecars, initializing := s.initContainers(pod, sidecars)
	if !initializing || conditionTrue(pod, corev1.PodInitialized) {
		s.restarts = ofSidecars
		s.containers(pod)
	}
	if pod.DeletionTimestamp != nil {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		switch {
		case pod.Status.Reason == "NodeLost":
			s.reason = "Unknown"
		case !ended:
			s.reason = "Terminating"
		}
	}
	return s
}

// initContainers adds the init containers up to the first that is not done: initializing
// means that there is one.
func (s *summary) initContainers(pod *corev1.Pod, sidecars map[string]bool) (ofSidecars restarts, initializing bool) {
	for i, c := range pod.Status.InitContainerStatuses {
		s.restarts.add(c)
		if sidecars[c.Name] {
			ofSidecars.add(c)
		}
		terminated, waiting := c.State.Terminated, c.State.Waiting
		switch {
		case terminated != nil && terminated.ExitCode == 0:
			continue
		case sidecars[c.Name] && c.Started != nil && *c.Started:
			if c.Ready {
				s.ready++
			}
			continue
		case terminated != nil:
			s.reason = "Init:" + ending(terminated)
		case waiting != nil && waiting.Reason != "" && waiting.Reason != "PodInitializing":
			s.reason = "Init:" + waiting.Reason
		default:
			s.reason = fmt.Sprintf("Init:%d/%d", i, len(pod.Spec.InitContainers))
		}
		return ofSidecars, true
	}
	return ofSidecars, false
}

// containers adds the containers. The reason is that of the first one that has any.
func (s *summary) containers(pod *corev1.Pod) {
	running, failure := false, ""
	for i := len(pod.Status.ContainerStatuses) - 1; i >= 0; i-- {
		c := pod.Status.ContainerStatuses[i]
		s.restarts.add(c)
		switch terminated, waiting := c.State.Terminated, c.State.Waiting; {
		case waiting != nil && waiting.Reason != "":
			s.reason = waiting.Reason
		case terminated != nil:
			s.reason = ending(terminated)
			if terminated.ExitCode != 0 {
				failure = s.reason
			}
		case c.Ready && c.State.Running != nil:
			running = true
			s.ready++
		}
	}
	if s.reason != "Completed" {
		return
	}
	// One container has ended well, and others decide.
	switch {
	case running && conditionTrue(pod, corev1.PodReady):
		s.reason = "Running"
	case failure != "":
		s.reason = failure
	case running:
		s.reason = "NotReady"
	}
}

// ending says how a container has ended.
func ending(t *corev1.ContainerStateTerminated) string {
	switch {
	case t.Reason != "":
		return t.Reason
	case t.Signal != 0:
		return fmt.Sprintf("Signal:%d", t.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", t.ExitCode)
}
