package containers

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
)

// Forever is a duration that never passes.
const Forever = time.Duration(1<<63 - 1)

// StepLabel is the label by which Match.Step finds pods.
const StepLabel = "kontinue.cloud/step"

// Script defines what one instance of a container does. The zero Script starts at once,
// writes nothing and exits with 0.
type Script struct {
	// Unschedulable keeps the pod from being scheduled for that long. It applies to
	// the whole pod, and any of its containers can set it.
	Unschedulable time.Duration
	// UnschedulableMessage is the scheduler's message; default "0/1 nodes are
	// available: 1 Insufficient cpu."
	UnschedulableMessage string
	// PullTime is how long pulling the image takes.
	PullTime time.Duration
	// PullError is the waiting reason of a failing pull: ErrImagePull (which
	// then alternates with ImagePullBackOff), InvalidImageName,
	// ErrImageNeverPull or CreateContainerConfigError. PullMessage is its
	// message, PullErrorFor how long it lasts; 0 is Forever.
	PullError    string
	PullMessage  string
	PullErrorFor time.Duration
	// StartError is the message with which starting the container fails.
	StartError string
	// Log holds the lines to write, each at its time, and the rest at the end.
	Log []LogLine
	// Run is how long the container runs; Forever until it is stopped.
	Run time.Duration
	// Do, if set, runs instead of waiting for Run: in its own goroutine, with a
	// context that is canceled when the container is signaled to stop.
	Do func(ctx context.Context, spec Spec) Exit
	// Exit is how the container ends by itself.
	Exit Exit
	// IgnoreTERM makes the container survive SIGTERM until it is killed when
	// the grace period is over. Otherwise it ends TermDelay after SIGTERM with
	// TermCode (default 143; a sidecar of the default script: 137).
	IgnoreTERM bool
	TermDelay  time.Duration
	TermCode   int32
}

// LogLine is one line of a scripted log.
type LogLine struct {
	After time.Duration // since the container started
	Text  string        // a newline is added
}

// Match selects containers. Empty fields match everything.
type Match struct {
	Namespace string
	Step      string // value of the pod's label kontinue.cloud/step
	Job       string // name of the Job that owns the pod
	Pod       string
	Container string
	Image     string
	Index     *int  // completion index
	Role      *Role // by default main containers only
	AnyRole   bool
	// Where is a further condition.
	Where func(Spec) bool
}

func (m Match) matches(spec Spec) bool {
	pod := spec.Pod
	eq := func(want, have string) bool { return want == "" || want == have }
	switch {
	case !eq(m.Namespace, pod.Namespace), !eq(m.Step, pod.Labels[StepLabel]),
		!eq(m.Job, pod.Labels[batchv1.JobNameLabel]), !eq(m.Pod, pod.Name),
		!eq(m.Container, spec.Container.Name), !eq(m.Image, spec.Container.Image):
		return false
	case m.Index != nil && pod.Annotations[batchv1.JobCompletionIndexAnnotation] != itoa(*m.Index):
		return false
	case m.Role != nil && *m.Role != spec.Role:
		return false
	case m.Role == nil && !m.AnyRole && m.Container == "" && spec.Role != RoleMain:
		return false
	}
	return m.Where == nil || m.Where(spec)
}
