package causes

import "errors"

// Class says who can do something about a failure, and so whether it is of use to run the
// step again.
type Class string

const (
	// User means that the program failed by itself: it exited with another code than 0, or
	// exceeded a limit that its own spec sets.
	User Class = "User"
	// Config means that the step cannot run as it is described: an image, a Secret, a
	// command or a permission is missing, or the cluster refuses the spec.
	Config Class = "Config"
	// Infrastructure means that the cluster stopped the pod or failed to run it: the node
	// was lost, the pod was evicted or preempted, the registry did not answer. The program
	// may have run in part.
	Infrastructure Class = "Infrastructure"
	// Capacity means that the cluster had no room, and the program has not run.
	Capacity Class = "Capacity"
	// Timeout means that the step reached its deadline.
	Timeout Class = "Timeout"
	// Canceled means that the step was canceled.
	Canceled Class = "Canceled"
)

// Errors that errors.Is finds, which the root package gives its callers by the same names.
var (
	ErrOOMKilled        = errors.New("OOMKilled")
	ErrImagePull        = errors.New("image cannot be pulled")
	ErrConfig           = errors.New("configuration is missing or invalid")
	ErrStartError       = errors.New("container cannot be started")
	ErrInitContainer    = errors.New("init container failed")
	ErrPodRejected      = errors.New("pod was rejected")
	ErrUnschedulable    = errors.New("pod is unschedulable")
	ErrEvicted          = errors.New("pod was evicted")
	ErrPreempted        = errors.New("pod was preempted")
	ErrNodeLost         = errors.New("node was lost")
	ErrDeadlineExceeded = errors.New("deadline exceeded")
	ErrCanceled         = errors.New("canceled")
)
