package kontinue

import (
	"fmt"
	"strings"

	"github.com/kontinue/kontinue/pods"
)

// ExitError is a workload that ran and failed, in the manner of
// os/exec.ExitError. [JobResult.Err] and [PodResult.Err] return it.
//
// errors.Is(err, ErrOOMKilled), ErrDeadlineExceeded and ErrCanceled tell the
// causes apart that a caller is likely to branch on.
type ExitError struct {
	// Namespace and Job name the Job, Pod and Container what failed first in it:
	// the container that ended in failure or, in a pod that never ran, the one
	// that could not start. They are empty where there is none.
	Namespace, Job, Pod, Container string
	// ExitCode is the container's exit code; it is 0 when the container did not
	// run, and when a child of it was killed for want of memory behind its back.
	ExitCode int32
	// Signal is the number of the signal that ended the container, or 0. A
	// runtime reports most signals as exit code 128+n; Signal is n then.
	Signal int32
	// Reason is a CamelCase word: of the container (Error, OOMKilled,
	// StartError, ImagePullBackOff), the pod (Evicted) or the Job
	// (BackoffLimitExceeded, DeadlineExceeded, PodFailurePolicy).
	Reason string
	// Message explains the failure for people.
	Message string

	causes    []error
	completed bool // the Job did not fail: some of its pods did, or none ran
}

// Error tells what failed, where and why in one line. The message, where there
// is one, tells container, exit code and reason itself.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s/%s %s", e.Namespace, e.Job, e.verb())
	if e.Pod != "" {
		fmt.Fprintf(&b, ": pod %s", e.Pod)
	}
	if e.Message != "" {
		if e.Pod == "" && e.Reason != "" {
			fmt.Fprintf(&b, " (%s)", e.Reason)
		}
		return b.String() + ": " + e.Message
	}
	if e.Container != "" {
		fmt.Fprintf(&b, ": container %q", e.Container)
	}
	switch {
	case e.Signal != 0:
		fmt.Fprintf(&b, " ended by signal %d", e.Signal)
	case e.ExitCode != 0:
		fmt.Fprintf(&b, " exited with code %d", e.ExitCode)
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	return b.String()
}

func (e *ExitError) verb() string {
	if e.completed {
		return "completed, but did not succeed"
	}
	return "failed"
}

// Unwrap returns the causes that errors.Is finds.
func (e *ExitError) Unwrap() []error { return e.causes }

func newExitError(o *outcome) *ExitError {
	if o == nil {
		return &ExitError{}
	}
	e := &ExitError{Namespace: o.namespace, Job: o.job, Reason: o.Reason, Message: o.Message, completed: !o.Failed}
	switch {
	case o.Canceled:
		e.causes = append(e.causes, ErrCanceled)
	case o.Reason == reasonDeadlineExceeded:
		e.causes = append(e.causes, ErrDeadlineExceeded)
	}
	return e
}

// explain fills in what the pod says about the failure.
func (r *PodResult) explain(e *ExitError) {
	o := r.inspect()
	e.Pod = o.Name
	if r.Message != "" {
		e.Message = r.Message
	}
	// A deadline or a cancellation is the cause; what it did to the container
	// (SIGTERM, most often) is only its effect.
	if cause := o.Cause(); cause != "" && len(e.causes) == 0 {
		e.Reason = cause
	}
	if c, ok := o.FirstFailure(); ok {
		e.Container, e.ExitCode, e.Signal = c.Name, c.ExitCode, c.Signal
		if e.Signal == 0 && e.ExitCode > 128 && e.ExitCode <= 128+maxSignal {
			e.Signal = e.ExitCode - 128
		}
	}
	for _, c := range o.Containers {
		if e.Container == "" && c.State == stateWaiting {
			e.Container = c.Name
		}
		if c.Reason == reasonOOMKilled && c.Kind != pods.KindSidecar {
			e.causes = append(e.causes, ErrOOMKilled)
			return
		}
	}
}

const (
	reasonOOMKilled        = "OOMKilled"
	stateWaiting           = "Waiting"
	reasonDeadlineExceeded = "DeadlineExceeded"
	// maxSignal is the highest signal number on Linux.
	maxSignal = 64
)
