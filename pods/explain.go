package pods

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Reasons that the API has no constants for. All but reasonDeleted are those of the
// kubelet and the container runtime.
const (
	reasonOOMKilled     = "OOMKilled"
	reasonStatusUnknown = "ContainerStatusUnknown"
	reasonError         = "Error"
	reasonDeleted       = "Deleted"
)

// Cause returns a CamelCase reason why the pod has not succeeded, in Kubernetes'
// own terms. It returns "" if the pod has succeeded, or if it is pending or running
// without a problem. The first of these that applies is returned:
//
//   - the reason of the pod (Evicted, DeadlineExceeded, NodeLost, Unschedulable,
//     ...) or of its disruption (PreemptionByScheduler, EvictionByEvictionAPI, ...);
//   - the reason of [Outcome.FirstFailure] (OOMKilled, StartError, Error, ...);
//   - OOMKilled if that is how the container of [Outcome.Stuck] had ended, or else
//     that one's reason (ErrImagePull, CreateContainerConfigError, CrashLoopBackOff, ...);
//   - "Deleted" for a pod that was deleted before it ended;
//   - "Error" for any other pod in phase Failed.
func (o Outcome) Cause() string {
	if o.Succeeded() {
		return ""
	}
	if word := cmp.Or(o.Reason, o.Disrupted); word != "" {
		return word
	}
	if c, ok := o.FirstFailure(); ok {
		if c.Reason == "" || c.Reason == "Completed" {
			return reasonError
		}
		return c.Reason
	}
	if c, ok := o.Stuck(); ok {
		if c.Previous != nil && c.Previous.oomKilled() {
			return reasonOOMKilled
		}
		return c.Reason
	}
	switch {
	case o.Deleted:
		return reasonDeleted
	case o.Phase == corev1.PodFailed:
		return reasonError
	}
	return ""
}

// Explain returns one line for people. It says what happened to the pod, which
// container failed first and how, and the last line of its termination message. For
// a pod that has not started it says what the pod is waiting for, with the image and
// the kubelet's message. Explain returns "" if the pod has succeeded.
func (o Outcome) Explain() string {
	if o.Succeeded() {
		return ""
	}
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	add(o.explainPod())
	if c, ok := o.FirstFailure(); ok {
		add(c.explainEnd())
	} else if c, ok := o.Stuck(); ok {
		add(c.explainWait())
	} else if o.Deleted {
		add(o.explainDeleted())
	} else if len(parts) == 0 {
		add(o.explainRest())
	}
	return strings.Join(parts, "; ")
}

// explainPod describes the reason or disruption of the pod as a whole.
func (o Outcome) explainPod() string {
	switch {
	case o.Reason == string(corev1.PodReasonUnschedulable):
		return withMessage("pod is unschedulable", o.Message)
	case o.Reason != "" && o.Disrupted != "" && o.Reason != o.Disrupted:
		return withMessage("pod "+o.Reason+" ("+o.Disrupted+")", o.Message)
	case o.Reason != "":
		return withMessage("pod "+o.Reason, o.Message)
	case o.Disrupted != "":
		return withMessage("pod disrupted: "+o.Disrupted, o.Message)
	}
	return ""
}

func (o Outcome) explainDeleted() string {
	for _, c := range o.Containers {
		if c.State == stateRunning && c.Kind != KindSidecar {
			return "pod was deleted while " + c.title() + " was running"
		}
	}
	if c, ok := o.unstarted(); ok {
		return withMessage("pod ended before "+c.title()+" had started", c.Reason)
	}
	return fmt.Sprintf("pod was deleted in phase %s before it ended", orUnknown(string(o.Phase)))
}

// explainRest describes a pod that is not deleted and has neither a failed nor a
// stuck container.
func (o Outcome) explainRest() string {
	if o.Message != "" {
		return withMessage("pod "+orUnknown(string(o.Phase)), o.Message)
	}
	if o.Phase == corev1.PodFailed {
		if c, ok := o.unstarted(); ok {
			return withMessage("pod ended before "+c.title()+" had started", c.Reason)
		}
		return "pod Failed without a reason"
	}
	for _, c := range o.Containers {
		if c.Kind != KindSidecar && !c.succeeded() {
			if c.State == stateWaiting && c.Reason != "" {
				return c.title() + " is waiting: " + c.Reason
			}
			return c.title() + " has not ended: state " + c.State
		}
	}
	return "pod has no container status: phase " + orUnknown(string(o.Phase))
}

// unstarted returns the first container that is waiting and has never run.
func (o Outcome) unstarted() (ContainerOutcome, bool) {
	for _, c := range o.Containers {
		if c.State == stateWaiting && c.Restarts == 0 {
			return c, true
		}
	}
	return ContainerOutcome{}, false
}

// Stuck returns the first container that is waiting for any other reason than
// ContainerCreating and PodInitializing, such as a missing image or Secret, and
// whether there is one. Sidecars count: the pod cannot start without them.
func (o Outcome) Stuck() (ContainerOutcome, bool) {
	i := slices.IndexFunc(o.Containers, func(c ContainerOutcome) bool {
		return c.State == stateWaiting && c.Reason != "" && c.Reason != "ContainerCreating" && c.Reason != "PodInitializing"
	})
	if i < 0 {
		return ContainerOutcome{}, false
	}
	return o.Containers[i], true
}

func (c ContainerOutcome) title() string {
	switch c.Kind {
	case KindInit:
		return fmt.Sprintf("init container %q", c.Name)
	case KindSidecar:
		return fmt.Sprintf("sidecar %q", c.Name)
	}
	return fmt.Sprintf("container %q", c.Name)
}

func (c ContainerOutcome) explainEnd() string {
	exit := exitText(c.ExitCode, c.Signal)
	var text string
	switch c.Reason {
	case reasonOOMKilled:
		text = c.title() + " was OOMKilled (out of memory): " + exit
	case reasonStatusUnknown:
		text = c.title() + " was lost: " + reasonStatusUnknown + ", " + exit
	case "", reasonError, "Completed":
		text = c.title() + " failed: " + exit
	default: // StartError, ContainerCannotRun, DeadlineExceeded, ...
		text = c.title() + " failed: " + c.Reason + ", " + exit
	}
	return withMessage(text, c.Message)
}

func (c ContainerOutcome) explainWait() string {
	text := c.title() + " is waiting: " + c.Reason
	if p := c.Previous; p != nil && p.oomKilled() {
		text += " after it was OOMKilled (out of memory): " + exitText(p.ExitCode, p.Signal)
	} else if c.ExitCode != 0 || c.Signal != 0 {
		text += " after " + exitText(c.ExitCode, c.Signal)
	} else if c.Image != "" {
		text += fmt.Sprintf(", image %q", c.Image)
	}
	return withMessage(text, c.Message)
}

func withMessage(text, message string) string {
	if line := lastLine(message); line != "" {
		return text + ": " + line
	}
	return text
}

func orUnknown(s string) string {
	if s == "" {
		return stateUnknown
	}
	return s
}
