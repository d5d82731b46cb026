package kontinue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
)

// Errors to test for with errors.Is. Those that tell of a lost or impossible
// answer come from the three verbs; ErrOOMKilled, ErrDeadlineExceeded and
// ErrCanceled also describe a workload that ran and failed, through
// [JobResult.Err] and [PodResult.Err].
var (
	// ErrInvalid is bad input. No request was sent.
	ErrInvalid = jobs.ErrInvalid
	// ErrNotRunning means that the client is not started, or was stopped. Jobs
	// that were waited for go on.
	ErrNotRunning = errors.New("client is not running")
	// ErrNameConflict means that another object holds the step's Job name. It
	// was not touched.
	ErrNameConflict = jobs.ErrNameConflict
	// ErrSpecDrift means that an unnamed step found its Job made from another
	// spec: its ordinal may stand for another step of the function now.
	ErrSpecDrift = errors.New("job was created from another spec")
	// ErrJobDeleted means that the Job went away before it ended: deleted by
	// hand, with its owner or with its namespace. Its result is lost.
	ErrJobDeleted = jobs.ErrJobDeleted
	// ErrPodLost means that the Job ended and nothing is known of the pod that
	// it ran: RunPod has no exit codes to give.
	ErrPodLost = errors.New("pod is lost")
	// ErrLogsGone means that the logs are no longer there, for instance since
	// the pod was deleted.
	ErrLogsGone = logs.ErrGone
	// ErrOOMKilled means that a container was killed for want of memory,
	// whatever its exit code.
	ErrOOMKilled = errors.New("OOMKilled")
	// ErrDeadlineExceeded means that the Job ran into StepOptions.Timeout or
	// its activeDeadlineSeconds.
	ErrDeadlineExceeded = errors.New("deadline exceeded")
	// ErrCanceled means that [Client.Cancel] stopped the Job.
	ErrCanceled = errors.New("canceled")
)

var (
	errNilContext   = errors.New("the context is nil")
	errNilOptions   = errors.New("the options are nil")
	errNilExecution = errors.New("the ExecutionContext is nil or was not made by Client.NewExecutionContext")
)

// invalid wraps what is wrong with the input named by what.
func invalid(what string, err error) error {
	if errors.Is(err, ErrInvalid) {
		return fmt.Errorf("kontinue: %s: %w", what, err)
	}
	return fmt.Errorf("kontinue: %s: %w: %w", what, ErrInvalid, err)
}

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

	causes []error
}

// Error tells what failed, where and why in one line.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s/%s failed", e.Namespace, e.Job)
	if e.Pod != "" {
		fmt.Fprintf(&b, ": pod %s", e.Pod)
	}
	if e.Container != "" {
		fmt.Fprintf(&b, ": container %q", e.Container)
		switch {
		case e.Signal != 0:
			fmt.Fprintf(&b, " ended by signal %d", e.Signal)
		case e.ExitCode != 0:
			fmt.Fprintf(&b, " exited with code %d", e.ExitCode)
		}
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	return b.String()
}

// Unwrap returns the causes that errors.Is finds.
func (e *ExitError) Unwrap() []error { return e.causes }
