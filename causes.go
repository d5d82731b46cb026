package kontinue

import "github.com/kontinue/kontinue/internal/causes"

// Class says who can do something about a failure, and so whether it is of use to run the
// step again. docs/failures.md has the reasons of each class.
type Class string

const (
	// ClassUser means that the program failed by itself: it exited with another code than
	// 0, or exceeded a limit that its own spec sets, such as that of its memory.
	ClassUser = Class(causes.User)
	// ClassConfig means that the step cannot run as it is described: an image, a Secret or
	// a command is missing, or the cluster refuses the spec.
	ClassConfig = Class(causes.Config)
	// ClassInfrastructure means that the cluster stopped the pod or could not run it: its
	// node was lost, it was evicted, preempted or deleted, the registry did not answer. The
	// program may have run in part.
	ClassInfrastructure = Class(causes.Infrastructure)
	// ClassCapacity means that the cluster had no room for the pod, whose program has not
	// run.
	ClassCapacity = Class(causes.Capacity)
	// ClassTimeout means that the step reached its deadline, whatever held it up.
	ClassTimeout = Class(causes.Timeout)
	// ClassCanceled means that [Client.Cancel], [Step.Cancel] or StepOptions.OnContextDone
	// stopped the step.
	ClassCanceled = Class(causes.Canceled)
)

// Causes of a workload that failed, to test for with errors.Is on what [JobResult.Err] and
// [PodResult.Err] return. [ErrOOMKilled], [ErrDeadlineExceeded] and [ErrCanceled] are
// causes too.
var (
	// ErrImagePull means that an image could not be pulled or used.
	ErrImagePull = causes.ErrImagePull
	// ErrConfig means that something that the pod refers to is missing or invalid: a
	// Secret, a ConfigMap, a claim, a ServiceAccount.
	ErrConfig = causes.ErrConfig
	// ErrStartError means that a container could not be started: its command does not
	// exist, or a volume, a hook or the sandbox failed.
	ErrStartError = causes.ErrStartError
	// ErrInitContainer means that an init container failed or could not start. It comes in
	// addition to the other causes.
	ErrInitContainer = causes.ErrInitContainer
	// ErrPodRejected means that the API server did not let the Job controller create the
	// pod, or that the kubelet of its node did not admit it.
	ErrPodRejected = causes.ErrPodRejected
	// ErrUnschedulable means that no node was found for the pod.
	ErrUnschedulable = causes.ErrUnschedulable
	// ErrEvicted means that the pod was evicted: by its kubelet, a drain or a taint.
	ErrEvicted = causes.ErrEvicted
	// ErrPreempted means that a pod of higher priority took its place.
	ErrPreempted = causes.ErrPreempted
	// ErrNodeLost means that the node of the pod is gone, could not be reached, or was shut
	// down.
	ErrNodeLost = causes.ErrNodeLost
)
