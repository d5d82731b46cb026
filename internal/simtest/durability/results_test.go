package durability_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kontinue/kontinue"
)

// Results are compared as text, so that a difference is easy to read.

// digest returns all that a function can see of a result except the names of
// pods, which are random.
func digest(r *kontinue.PodResult, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "succeeded=%t phase=%s message=%q err=%v class=%s output=%q", r.Succeeded(), r.Phase, r.Message, r.Err(), cause(r.Err()), r.Output(""))
	for _, c := range append(r.Pod.Status.InitContainerStatuses, r.Pod.Status.ContainerStatuses...) {
		end := c.State.Terminated
		if end == nil {
			fmt.Fprintf(&b, " %s: has not ended: %v", c.Name, c.State)
			continue
		}
		fmt.Fprintf(&b, " %s: exit=%d reason=%s log=%q", c.Name, end.ExitCode, end.Reason, end.Message)
	}
	return strings.ReplaceAll(b.String(), r.Pod.Name, "POD")
}

// digestJob is digest for a JobResult.
func digestJob(r *kontinue.JobResult, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	text := fmt.Sprintf("succeeded=%t (%d, %d failed) message=%q err=%v class=%s", r.Succeeded(), r.SucceededPods, r.FailedPods, r.Message, r.Err(), cause(r.Err()))
	for _, p := range r.Pods {
		text += "\n\t" + digest(p, nil)
		text = strings.ReplaceAll(text, p.Pod.Name, "POD")
	}
	return text
}

// cause returns what the Err of a result says beside its text.
func cause(err error) string {
	var failed *kontinue.ExitError
	if !errors.As(err, &failed) {
		return ""
	}
	return fmt.Sprintf("%s %s/%q/%v", failed.Class, failed.Reason, failed.Advice, failed.Unwrap())
}

// facts returns what a PodResult says whether it was made from the pod or from
// the record.
func facts(r *kontinue.PodResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%t %s %q %v %s %q %s/%s %s\n", r.Succeeded(), r.Phase, r.Message, r.Err(), cause(r.Err()), r.Output(""), r.Pod.Namespace, r.Pod.Name, r.Pod.UID)
	for _, c := range append(r.Pod.Status.InitContainerStatuses, r.Pod.Status.ContainerStatuses...) {
		// The kubelet's stand-in for the end of a container that never started is
		// left out: the record has the reason that the container waited for instead.
		if end := c.State.Terminated; end != nil && end.Reason != "ContainerStatusUnknown" {
			fmt.Fprintf(&b, "%s: %d %s %q\n", c.Name, end.ExitCode, end.Reason, end.Message)
		}
	}
	return b.String()
}
