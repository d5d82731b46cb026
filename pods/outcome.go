package pods

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Kind is the role of a container in its pod.
type Kind string

const (
	// KindMain is a container of spec.containers. It counts for the outcome.
	KindMain Kind = "main"
	// KindInit is an ordinary init container. It counts for the outcome.
	KindInit Kind = "init"
	// KindSidecar is a restartable init container (KEP-753). It does not count for
	// the outcome: the kubelet stops it after the main containers have ended.
	KindSidecar Kind = "sidecar"
)

// Container states, as ContainerOutcome.State holds them.
const (
	stateWaiting    = "Waiting"
	stateRunning    = "Running"
	stateTerminated = "Terminated"
	stateUnknown    = "Unknown"
)

// Outcome is a compact copy of a pod's status that can be stored and read after the
// pod is gone. It contains no environment values and no arguments.
type Outcome struct {
	// Name and UID identify the pod.
	Name string `json:"n"`
	// UID is empty for a pod that was not created by an API server.
	UID types.UID `json:"u,omitempty"`
	// Node is the name of the node that the pod was bound to, or empty.
	Node string `json:"nd,omitempty"`
	// Phase is the last observed phase.
	Phase corev1.PodPhase `json:"p,omitempty"`
	// Reason is that of the pod's status (Evicted, DeadlineExceeded, NodeLost) or,
	// if it has none and the pod could not be scheduled, that of its PodScheduled
	// condition (Unschedulable).
	Reason string `json:"r,omitempty"`
	// Message is that of the pod's status or, if it is empty, that of the condition
	// which Disrupted or Reason is taken from.
	Message string `json:"m,omitempty"`
	// Disrupted is the reason of the pod's DisruptionTarget condition (KEP-3329),
	// such as EvictionByEvictionAPI or PreemptionByScheduler; empty without one.
	Disrupted string `json:"d,omitempty"`
	// Index is the completion index of a pod of an Indexed Job, else nil.
	Index *int `json:"i,omitempty"`
	// Deleted reports whether the pod is gone and the Outcome is its last observed
	// state. Inspect cannot know and leaves it false; the observer sets it.
	Deleted bool `json:"x,omitempty"`
	// Terminating reports whether the pod's deletion had begun.
	Terminating bool `json:"t,omitempty"`
	// StoppedAt is when the deletion of a pod began that had not ended by itself before,
	// by the API server's clock. It is zero for any other pod.
	StoppedAt time.Time `json:"q,omitzero"`
	// Ignored reports whether the Job's podFailurePolicy ignores the pod's failure.
	// Inspect cannot know and leaves it false: see [Outcome.Judge].
	Ignored bool `json:"g,omitempty"`
	// Rank is the pod's place among the failures of its Job, from 1, and Part what it
	// had to do with the Job's end: see [JobEnd.Failures]. Both are zero for a pod that
	// succeeded, and in an outcome that Failures has not ordered.
	Rank int `json:"b,omitempty"`
	// Part is not zero if Rank is not.
	Part Part `json:"w,omitempty"`
	// CreatedAt is when the API server created the pod, and ScheduledAt when the
	// scheduler bound it to its node, each by that one's clock, in UTC, and zero if
	// unknown.
	CreatedAt time.Time `json:"a,omitzero"`
	// ScheduledAt is that of the condition PodScheduled.
	ScheduledAt time.Time `json:"h,omitzero"`
	// StartedAt is when the kubelet accepted the pod, and FinishedAt when the last
	// of its containers ended. Both are by the node's clock, in UTC, and zero if
	// unknown.
	StartedAt time.Time `json:"s,omitzero"`
	// FinishedAt is not before StartedAt, unless the clock was set back.
	FinishedAt time.Time `json:"f,omitzero"`
	// Containers lists the init containers and sidecars, then the main containers,
	// each in the order of the spec.
	Containers []ContainerOutcome `json:"c,omitempty"`
	// Omitted counts the containers that [Encode] left out to fit its budget. It
	// leaves out none that would change Succeeded or FirstFailure.
	Omitted int `json:"o,omitempty"`
}

// ContainerOutcome is a compact copy of one container's status.
type ContainerOutcome struct {
	// Name is unique in the pod, init containers included. It is empty in Previous.
	Name string `json:"n,omitempty"`
	// Kind says whether the container counts for the outcome.
	Kind Kind `json:"k,omitempty"`
	// State is Waiting, Running or Terminated, or Unknown without a status.
	State string `json:"s,omitempty"`
	// ExitCode and Signal are those of the terminated container or, in the states
	// Waiting and Running, those of its previous run. Most runtimes report a signal
	// n as exit code 128+n and leave Signal 0.
	ExitCode int32 `json:"e,omitempty"`
	// Signal is the number of the signal, or 0.
	Signal int32 `json:"g,omitempty"`
	// Reason and Message are those of the state Waiting or Terminated.
	Reason string `json:"r,omitempty"`
	// Message of a terminated container is its termination message. Of one that failed
	// it may be the end of its log instead: see [ContainerOutcome.Output].
	Message string `json:"m,omitempty"`
	// FromFile reports whether the Message of a container that failed is what it wrote to
	// its terminationMessagePath, and not the end of its log: its terminationMessagePolicy
	// is File.
	FromFile bool `json:"p,omitempty"`
	// Truncated reports whether the Message of a terminated container is not whole: it is
	// as long as the kubelet keeps, or [Encode] has shortened it.
	Truncated bool `json:"t,omitempty"`
	// Previous is how the container's previous run ended, if it was restarted: exit
	// code, signal, reason and FinishedAt.
	Previous *ContainerOutcome `json:"l,omitempty"`
	// Injected reports whether the container is not one that was submitted: the cluster
	// has added it, as a mesh does. Inspect cannot know and leaves it false.
	Injected bool `json:"j,omitempty"`
	// Image is the image as named in the container's status.
	Image string `json:"i,omitempty"`
	// Restarts counts how often the kubelet restarted the container.
	Restarts int32 `json:"x,omitempty"`
	// StartedAt and FinishedAt are by the node's clock, in UTC, and zero if unknown.
	StartedAt time.Time `json:"a,omitzero"`
	// FinishedAt is when the container terminated or, in the states Waiting and
	// Running, when its previous run did.
	FinishedAt time.Time `json:"f,omitzero"`
}

// Succeeded reports whether every main and init container terminated with exit code
// 0 and without an OOM kill. Sidecars do not count.
//
// A container without a status has not succeeded. Exit code 0 with the reason
// OOMKilled is not a success: the kernel killed a child process and the main process
// still exited with 0. A pod in phase Failed has not succeeded whatever its exit
// codes: the kubelet stopped it (eviction, deadline, node shutdown), and a program
// that exits with 0 on SIGTERM has not done its work. One in phase Succeeded has
// succeeded whatever became of containers that were injected.
func (o Outcome) Succeeded() bool {
	if o.Phase == corev1.PodFailed {
		return false
	}
	main := 0
	for _, c := range o.Containers {
		if c.Kind == KindSidecar || c.Injected && o.Phase == corev1.PodSucceeded {
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

// FirstFailure returns the container that failed first, and whether there is one.
// Init containers come before main containers, then the earlier FinishedAt decides,
// then whether the container was submitted or injected, then the order of the spec. A
// container whose end is unknown comes last. So the container that caused the failure
// is returned, not one that was stopped with the pod; and one that had failed, was
// restarted and then stopped is returned with how it had failed. Sidecars are never
// returned. A pod that never started has no failed container, just like one that
// succeeded.
func (o Outcome) FirstFailure() (ContainerOutcome, bool) {
	var failed []ContainerOutcome
	for _, c := range o.Containers {
		if c.Kind != KindSidecar && c.failed() {
			failed = append(failed, o.own(c))
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
		boolToInt(a.Injected)-boolToInt(b.Injected),
	)
}

// own returns c with how it had ended by itself, where what its state shows is that it
// was stopped with the pod after a restart.
func (o Outcome) own(c ContainerOutcome) ContainerOutcome {
	if p := c.Previous; p != nil && p.failed() && o.stopped(c) {
		c.ExitCode, c.Signal, c.Reason, c.FinishedAt, c.Message = p.ExitCode, p.Signal, p.Reason, p.FinishedAt, ""
	}
	return c
}

// stopped reports whether the terminated container was stopped with the pod.
func (o Outcome) stopped(c ContainerOutcome) bool {
	return !o.StoppedAt.IsZero() && (c.FinishedAt.IsZero() || !c.FinishedAt.Before(o.StoppedAt))
}

// OOMKilled reports whether a main or init container ran out of memory, in its last run
// or in the one before it.
func (o Outcome) OOMKilled() bool {
	return slices.ContainsFunc(o.Containers, func(c ContainerOutcome) bool {
		return c.Kind != KindSidecar && (c.oomKilled() || c.Previous != nil && c.Previous.oomKilled())
	})
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

// lost reports whether the kubelet did not observe how the container ended.
func (c ContainerOutcome) lost() bool {
	return c.Reason == reasonStatusUnknown || c.FinishedAt.IsZero()
}
