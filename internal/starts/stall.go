package starts

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/pods"
)

// The states of a pods.ContainerOutcome.
const (
	running    = "Running"
	terminated = "Terminated"
)

// Stall is what keeps a pod from starting, or from stopping.
type Stall struct {
	// Key is the key of the [Limits] that applies.
	Key string
	// Reason is Kubernetes' own, and Message says what the pod is waiting for.
	Reason, Message string
	// Silent reports whether only Events may say more.
	Silent bool
	// Since is when the time of the limit began, by the clock of the control plane.
	Since time.Time
}

// NoPod is the Stall of a Job that has no pod since then.
func NoPod(since time.Time) Stall {
	return Stall{Key: keyNoPod, Reason: keyNoPod, Message: "no pod was created", Since: since, Silent: true}
}

// outcome is how far a pod is.
type outcome struct{ pods.Outcome }

// StallOf returns why the containers of a pod have not started, or why it has not
// stopped, and whether either is so. The time of the limit begins with what the control
// plane did last for the pod: its creation, its binding to a node (PodScheduled), or the
// end of its deletion's grace period. The reason only selects the limit, so that one that
// alternates (ErrImagePull, ImagePullBackOff) or a restart of the worker adds nothing.
//
// A container that has run before has started, whatever it waits for now
// (CrashLoopBackOff, RestartAllContainers). While an init container is running the pod
// is not stalled, and the time of the containers after it begins with its end.
func StallOf(p *corev1.Pod) (Stall, bool) {
	o := outcome{pods.Inspect(p)}
	switch {
	case o.Phase == corev1.PodSucceeded || o.Phase == corev1.PodFailed:
		return Stall{}, false
	case p.DeletionTimestamp != nil:
		since := p.DeletionTimestamp.UTC()
		return Stall{Key: keyLost, Reason: keyLost, Since: since,
			Message: fmt.Sprintf("pod is being deleted and has not stopped since %s, when its grace period was over: is node %q alive?", since.Format(time.RFC3339), o.Node)}, true
	case o.Node == "":
		return o.unbound(), true
	}
	c, since, ok := o.notStarted()
	if !ok {
		return Stall{}, false
	}
	if c.Reason == "ImagePullBackOff" {
		c.Reason = keyImage // which it alternates with, and repeats in its message
	}
	s := Stall{Key: limitKey(c.Reason), Reason: cmp.Or(c.Reason, keyPreparing), Since: o.onControlPlane(since)}
	s.Silent = s.Key == keyPreparing
	s.Message = withMessage(title(c)+" has not started"+ofImage(c), c.Message)
	return s, true
}

// unbound is the stall of a pod that is not bound to a node.
func (o outcome) unbound() Stall {
	s := Stall{Key: keyUnbound, Reason: cmp.Or(o.Reason, keyUnbound), Since: o.CreatedAt,
		Message: withMessage("pod is not scheduled", cmp.Or(o.Message, "the scheduler has not reported on it: is it running?"))}
	if o.Reason == keyGated {
		s.Key = keyGated
	}
	return s
}

// limitKey returns the key of the limit for a container that is waiting for that reason.
func limitKey(reason string) string {
	switch reason {
	case keyImage, "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed":
		return keyImage
	case "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError":
		return reason
	case "", keyPreparing, "PodInitializing":
		return keyPreparing
	}
	return keyCreate
}

// notStarted returns the container that has to start next and has not, the time by the
// clock of the node from which on it could, which is zero if that is when the pod was
// bound, and whether there is one.
func (o outcome) notStarted() (next pods.ContainerOutcome, since time.Time, ok bool) {
	for _, c := range o.Containers {
		switch {
		case c.Kind == pods.KindMain:
			// Containers start side by side: one that says why it waits comes first.
			if !started(c) && (!ok || limitKey(next.Reason) == keyPreparing && limitKey(c.Reason) != keyPreparing) {
				next, ok = c, true
			}
		case !started(c):
			return c, since, true
		case c.Kind == pods.KindSidecar:
			since = latest(since, c.StartedAt)
		case c.State == terminated && c.ExitCode == 0 && c.Signal == 0:
			since = latest(since, c.FinishedAt)
		default:
			return pods.ContainerOutcome{}, time.Time{}, false // it is running, or is restarted
		}
	}
	return next, since, ok
}

func title(c pods.ContainerOutcome) string {
	switch c.Kind {
	case pods.KindInit:
		return fmt.Sprintf("init container %q", c.Name)
	case pods.KindSidecar:
		return fmt.Sprintf("sidecar %q", c.Name)
	case pods.KindMain:
	}
	return fmt.Sprintf("container %q", c.Name)
}

// withMessage adds the last line of a message that is not blank.
func withMessage(text, message string) string {
	if line := plain.LastLine(message, maxLine); line != "" {
		return text + ": " + line
	}
	return text
}

// maxLine bounds that line, in bytes.
const maxLine = 1024

// started reports whether the container has run.
func started(c pods.ContainerOutcome) bool {
	return c.State == running || c.State == terminated || c.Restarts > 0 || c.Previous != nil
}

func ofImage(c pods.ContainerOutcome) string {
	if c.Image == "" {
		return ""
	}
	return fmt.Sprintf(", image %q", c.Image)
}

// onControlPlane converts a time of the node's clock to that of the control plane: the
// kubelet accepts a pod (StartedAt) when the scheduler has bound it. Zero is that moment.
func (o outcome) onControlPlane(t time.Time) time.Time {
	// Of a pod whose spec names its node the kubelet reports that it is bound, by its own clock.
	bound := latest(o.CreatedAt, o.ScheduledAt)
	if t.IsZero() || o.StartedAt.IsZero() || t.Before(o.StartedAt) {
		return bound
	}
	return bound.Add(t.Sub(o.StartedAt))
}

// EndedAt is when a pod that has ended did, by the clock of the control plane, and zero
// for any other.
func EndedAt(p *corev1.Pod) time.Time {
	o := outcome{pods.Inspect(p)}
	switch {
	case o.Phase != corev1.PodSucceeded && o.Phase != corev1.PodFailed:
		return time.Time{}
	case o.FinishedAt.IsZero():
		return o.CreatedAt
	}
	return o.onControlPlane(o.FinishedAt)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
