package pods

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

const (
	// maxMessage is how many bytes of a container's termination message the kubelet keeps,
	// and maxPodMessages of all containers of a pod, init containers and ephemeral ones
	// included, each of which has an equal part (pkg/kubelet/container/runtime.go and
	// status.normalizeStatus).
	maxMessage     = 4 * 1024
	maxPodMessages = 12 * 1024
)

// ErrOutputTruncated is wrapped by the error of [ContainerOutcome.Output] if the output is
// not whole.
var ErrOutputTruncated = errors.New("output is truncated")

// Output returns what the container wrote to its terminationMessagePath. The error says why
// there is no output: the container has not terminated or wrote nothing, or the message is
// not whole, for which it wraps [ErrOutputTruncated].
//
// There is no output either of a container that failed with the terminationMessagePolicy
// FallbackToLogsOnError: its message may be the end of its log, which looks the same.
func (c ContainerOutcome) Output() (string, error) {
	exit := exitText(c.ExitCode, c.Signal)
	switch {
	case c.State != stateTerminated:
		return "", fmt.Errorf("%s has not terminated: state %s", c.title(), orUnknown(c.State))
	case c.Message != "" && !c.written():
		return "", fmt.Errorf("%s failed (%s), and its termination message may be the end of its log: with terminationMessagePolicy File it is what the container wrote",
			c.title(), exit)
	case c.Truncated:
		return "", fmt.Errorf("%s: %w: a kubelet keeps at most 4 KiB of a container and 12 KiB of a pod, divided among its containers, and a Job's record has 16 KiB",
			c.title(), ErrOutputTruncated)
	case c.Message == "":
		return "", fmt.Errorf("%s wrote nothing to its terminationMessagePath (%s)", c.title(), exit)
	}
	return c.Message, nil
}

// written reports whether the container itself wrote the Message, whole or not.
func (c ContainerOutcome) written() bool {
	return c.State == stateTerminated && c.Message != "" && (!c.failed() || c.FromFile)
}

// messageLimit is how many bytes of a termination message the kubelet of p keeps. One of
// that length may have lost its beginning or its end.
func messageLimit(p *corev1.Pod) int {
	n := max(len(p.Spec.InitContainers), len(p.Status.InitContainerStatuses)) +
		max(len(p.Spec.Containers), len(p.Status.ContainerStatuses)) + len(p.Spec.EphemeralContainers)
	return min(maxMessage, maxPodMessages/max(1, n))
}
