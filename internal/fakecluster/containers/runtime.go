package containers

import (
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Exit codes and reasons of containers, as container runtimes report them.
const (
	ExitKilled      = 137 // 128 + SIGKILL
	ExitStartError  = 128
	ReasonError     = "Error"
	ReasonOOMKilled = "OOMKilled"
)

// Role says which part of a pod a container is.
type Role int

// The roles, in the order they are started.
const (
	RoleInit    Role = iota // ends before the next one starts
	RoleSidecar             // an init container with restartPolicy Always (KEP-753)
	RoleMain
)

// Spec describes one instance of a container.
type Spec struct {
	Pod       *corev1.Pod       // shared: read only
	Container *corev1.Container // shared: read only
	Role      Role
	// Restart is the number of earlier instances of the container in this pod.
	Restart int
	// Env is the complete environment, references and $(VAR) resolved.
	Env []EnvVar
	// Files are the contents of the files in those volumes of the container that show
	// objects of the cluster, by their paths in the container.
	Files map[string]string
	// Log receives the container's stdout and stderr.
	Log io.Writer
}

// Volume is what a volume of a pod holds, as far as the cluster knows.
type Volume struct {
	Name string
	// Files are those of a volume that shows objects of the cluster, such as a Secret, by
	// their paths in the volume.
	Files map[string]File
	// Claim is the UID of the PersistentVolumeClaim, if the volume is one.
	Claim types.UID
}

// File is a file in a Volume.
type File struct {
	Data string
	Mode int32 // permission bits
}

// Each calls f with every container of the pod and its role: init containers and
// sidecars in their order, then the main containers.
func Each(pod *corev1.Pod, f func(*corev1.Container, Role)) {
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			f(c, RoleSidecar)
		} else {
			f(c, RoleInit)
		}
	}
	for i := range pod.Spec.Containers {
		f(&pod.Spec.Containers[i], RoleMain)
	}
}

// EnvVar is one resolved environment variable.
type EnvVar struct{ Name, Value string }

// Exit is how an instance of a container ended.
type Exit struct {
	// Code is the exit code, 128 + signal number after a signal.
	Code int32
	// Reason overrides the usual Completed or Error, for example "OOMKilled".
	Reason string
	// Message is the message of the terminated state if the container left no
	// termination message, for example of a runtime error.
	Message string
	// TerminationMessage is what the container wrote to its termination message
	// file.
	TerminationMessage string
}

// OOMKilled is the end of a container that used more memory than its limit.
var OOMKilled = Exit{Code: ExitKilled, Reason: ReasonOOMKilled}

// Pull is the state of the pull of a container's image.
type Pull struct {
	// Done means that the image is present and the container can start.
	Done bool
	// Wait is the time until the next call makes sense.
	Wait time.Duration
	// Reason and Message are shown as the container's waiting state; an empty
	// Reason means that the image is being pulled (ContainerCreating).
	Reason, Message string
}

// Process is a running instance of a container.
type Process interface {
	// Stop signals the instance to end, and kills it when grace has passed. With
	// grace 0 it is killed at once. Stop does not wait, and may be called again with
	// a shorter grace.
	Stop(grace time.Duration)
}

// Runtime runs containers. Its methods are called by several goroutines and
// return without waiting. The calls for one pod do not overlap.
type Runtime interface {
	// Mount is called before the first container of a pod with volumes starts, until it
	// returns nil, and again when the files of a volume have changed. volumes are those of
	// the pod's spec, in its order.
	Mount(pod *corev1.Pod, volumes []Volume) error
	// Pull is called before a container starts, until it returns Done. age is the time
	// since the first call for this instance.
	Pull(spec Spec, age time.Duration) Pull
	// Start starts an instance. exited is called exactly once when it has
	// ended, possibly before Start returns, unless Start returns an error.
	Start(spec Spec, exited func(Exit)) (Process, error)
	// Forget drops the state of a pod that has ended or is gone.
	Forget(pod types.UID)
	// Close kills the running instances and waits for them.
	Close()
}

// Delayer is implemented by a Runtime that can keep pods from being scheduled.
type Delayer interface {
	// Unschedulable returns how much longer the pod must not be scheduled, and the
	// scheduler's message. age is the time since the first call.
	Unschedulable(pod *corev1.Pod, age time.Duration) (time.Duration, string)
}

// StartError is returned by Runtime.Start when the process could not be
// started; the container ends with reason StartError and exit code 128.
type StartError struct{ Message string }

func (e *StartError) Error() string { return e.Message }
