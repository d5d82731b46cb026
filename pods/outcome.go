package pods

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Kind says what a container is to its pod.
type Kind string

const (
	// KindMain is a container of spec.containers. It decides the outcome.
	KindMain Kind = "main"
	// KindInit is an ordinary init container. It decides the outcome too.
	KindInit Kind = "init"
	// KindSidecar is a restartable init container (KEP-753). It never decides:
	// the kubelet stops it when the main containers have ended.
	KindSidecar Kind = "sidecar"
)

// Container states, as ContainerOutcome.State holds them.
const (
	stateWaiting    = "Waiting"
	stateRunning    = "Running"
	stateTerminated = "Terminated"
	stateUnknown    = "Unknown"
)

// Outcome is what is known of one pod: a compact copy of its status that can be
// stored and read when the pod is gone. It holds no environment and no argument.
type Outcome struct {
	// Name and UID identify the pod.
	Name string `json:"n"`
	// UID is empty for a pod that no API server made.
	UID types.UID `json:"u,omitempty"`
	// Node is the node that it was bound to.
	Node string `json:"nd,omitempty"`
	// Phase is the last phase seen.
	Phase corev1.PodPhase `json:"p,omitempty"`
	// Reason and Message are the pod's own (Evicted, DeadlineExceeded, NodeLost);
	// for a pod that no node took, the scheduler's; for a disrupted pod without
	// its own, the disruption's.
	Reason string `json:"r,omitempty"`
	// Message goes with Reason.
	Message string `json:"m,omitempty"`
	// Disrupted is the reason of the pod's DisruptionTarget condition (KEP-3329),
	// such as EvictionByEvictionAPI or PreemptionByScheduler; empty without one.
	Disrupted string `json:"d,omitempty"`
	// Index is the completion index of a pod of an Indexed Job, else nil.
	Index *int `json:"i,omitempty"`
	// Deleted says that the pod was seen deleted and this is its last state. The
	// one who saw it sets it: a pod's status does not tell.
	Deleted bool `json:"x,omitempty"`
	// Terminating says that the pod's deletion had begun.
	Terminating bool `json:"t,omitempty"`
	// StartedAt is when the kubelet took the pod, FinishedAt when the last of its
	// containers ended; zero when unknown. Both are the node's clock, in UTC.
	StartedAt time.Time `json:"s,omitzero"`
	// FinishedAt is not before StartedAt, unless the clock was set back.
	FinishedAt time.Time `json:"f,omitzero"`
	// Containers are the init containers and sidecars, then the main containers,
	// each in the order of the spec.
	Containers []ContainerOutcome `json:"c,omitempty"`
	// Omitted counts containers that [Encode] left out for want of room. Leaving
	// them out never changes Succeeded or FirstFailure.
	Omitted int `json:"o,omitempty"`
}

// ContainerOutcome is what is known of one container.
type ContainerOutcome struct {
	// Name is unique in the pod, init containers included.
	Name string `json:"n"`
	// Kind says whether the container decides the outcome.
	Kind Kind `json:"k,omitempty"`
	// State is Waiting, Running, Terminated or, without a status, Unknown.
	State string `json:"s,omitempty"`
	// ExitCode and Signal tell how the container ended; of one that was started
	// again (state Waiting or Running), how the run before ended. Most runtimes
	// report a signal as exit code 128+n and leave Signal 0.
	ExitCode int32 `json:"e,omitempty"`
	// Signal is the signal's number, or 0.
	Signal int32 `json:"g,omitempty"`
	// Reason and Message belong to the state: the waiting reason, or the reason
	// and termination message of the end.
	Reason string `json:"r,omitempty"`
	// Message may be the end of the log, by FallbackToLogsOnError.
	Message string `json:"m,omitempty"`
	// Image is the image as the spec names it.
	Image string `json:"i,omitempty"`
	// Restarts counts how often the kubelet started the container again.
	Restarts int32 `json:"x,omitempty"`
	// StartedAt and FinishedAt are the node's clock, in UTC; zero when unknown.
	StartedAt time.Time `json:"a,omitzero"`
	// FinishedAt is set for a container that has terminated.
	FinishedAt time.Time `json:"f,omitzero"`
}

// Succeeded reports that every main and init container terminated with exit
// code 0 and was not killed for want of memory. Sidecars never decide.
//
// A container without a status has not succeeded, and exit code 0 with reason
// OOMKilled is no success: a child was killed and the first process hid it. A
// pod in phase Failed has not succeeded whatever its exit codes: the kubelet
// stopped it (eviction, deadline, node shutdown), and a program that answers
// SIGTERM with exit code 0 has not done its work.
func (o Outcome) Succeeded() bool {
	if o.Phase == corev1.PodFailed {
		return false
	}
	main := 0
	for _, c := range o.Containers {
		if c.Kind == KindSidecar {
			continue
		}
		if !c.succeeded() {
			return false
		}
		if c.Kind != KindInit {
			main++
		}
	}
	return main > 0
}

// FirstFailure returns the container that failed first: an init container
// before any other, then by the time it ended, then by the order of the spec. A
// container of unknown end comes last. Containers that were killed with the pod
// follow the one that broke it. Sidecars are never returned; false means that
// no container terminated in failure, which a pod that never started shares
// with one that succeeded.
func (o Outcome) FirstFailure() (ContainerOutcome, bool) {
	var failed []ContainerOutcome
	for _, c := range o.Containers {
		if c.Kind != KindSidecar && c.failed() {
			failed = append(failed, c)
		}
	}
	if len(failed) == 0 {
		return ContainerOutcome{}, false
	}
	return slices.MinFunc(failed, compareFailures), true
}

func compareFailures(a, b ContainerOutcome) int {
	return cmp.Or(
		boolToInt(a.Kind != KindInit)-boolToInt(b.Kind != KindInit),
		boolToInt(a.lost())-boolToInt(b.lost()),
		a.FinishedAt.Compare(b.FinishedAt),
	)
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c ContainerOutcome) succeeded() bool {
	return c.State == stateTerminated && !c.failed()
}

func (c ContainerOutcome) failed() bool {
	return c.State == stateTerminated && (c.ExitCode != 0 || c.Signal != 0 || c.oomKilled())
}

func (c ContainerOutcome) oomKilled() bool { return c.Reason == reasonOOMKilled }

// lost reports an end that nobody saw: the kubelet made it up, or gave no time.
func (c ContainerOutcome) lost() bool {
	return c.Reason == reasonStatusUnknown || c.FinishedAt.IsZero()
}
