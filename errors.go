package kontinue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/internal/preflight"
	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/pods"
)

// Errors to test for with errors.Is. RunJob, RunPod and RunScript return one if there is
// no result. ErrOOMKilled, ErrDeadlineExceeded and ErrCanceled also describe a workload
// that ran and failed, through [JobResult.Err] and [PodResult.Err], as [ErrImagePull] and
// others do; ErrOOMKilled, ErrLogsGone and ErrNoPods are never the error of those three.
var (
	// ErrInvalid is bad input. No request was sent.
	ErrInvalid = jobs.ErrInvalid
	// ErrNotRunning means that the client is not started, or was stopped. Jobs
	// that were waited for are still running.
	ErrNotRunning = step.ErrNotRunning
	// ErrMissingRights means that the worker has not all rights that it needs. The error
	// names each, and prints the Role that grants them.
	ErrMissingRights = preflight.ErrMissing
	// ErrNameConflict means that another object holds the name of the step's Job or
	// of its Secret, or that the Job belongs to another worker group. It was not touched.
	ErrNameConflict = jobs.ErrNameConflict
	// ErrSpecDrift means that an unnamed step found its Job made from another
	// spec: its ordinal may stand for another step of the function now.
	ErrSpecDrift = step.ErrSpecDrift
	// ErrJobDeleted means that the Job was deleted before its end was known: by
	// hand, with its owner or with its namespace. Its result is lost.
	ErrJobDeleted = jobs.ErrJobDeleted
	// ErrPodLost means that the Job failed and its pod was deleted before its status
	// was observed: RunPod has no exit codes to return.
	ErrPodLost = step.ErrPodLost
	// ErrNoPods means that another controller than Kubernetes' own has run the Job in
	// another cluster (spec.managedBy, as of MultiKueue). The result is that of the Job's
	// status; logs and outputs are where the pods are.
	ErrNoPods = step.ErrNoPods
	// ErrLogsGone means that the logs no longer exist, for instance because
	// the pod was deleted.
	ErrLogsGone = logs.ErrGone
	// ErrOOMKilled means that a container ran out of memory, whatever its exit code.
	ErrOOMKilled = causes.ErrOOMKilled
	// ErrDeadlineExceeded means that the Job ran into StepOptions.Timeout or
	// its activeDeadlineSeconds.
	ErrDeadlineExceeded = step.ErrDeadlineExceeded
	// ErrCanceled means that [Client.Cancel], [Step.Cancel] or StepOptions.OnContextDone
	// stopped the Job.
	ErrCanceled = step.ErrCanceled
)

var (
	errNilContext   = errors.New("the context is nil")
	errNoClient     = errors.New("the Client was not made by New")
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
// Class says who can do something about it, and Advice what. errors.Is finds what a caller
// is likely to branch on, such as [ErrOOMKilled], [ErrImagePull], [ErrEvicted],
// [ErrDeadlineExceeded] and [ErrCanceled].
type ExitError struct {
	// Namespace and Job name the Job, Pod the one whose failure decided that the Job
	// failed, and Container what failed first in it: the container that ended in
	// failure or, in a pod that never ran, the one that could not start. They are
	// empty where there is none.
	Namespace, Job, Pod, Container string
	// ExitCode is the container's exit code. It is 0 when the container did not run,
	// or when the kernel OOM-killed a child process and the main process still exited 0.
	ExitCode int32
	// Signal is the number of the signal that ended the container, or 0. A
	// runtime reports most signals as exit code 128+n; Signal is n then.
	Signal int32
	// Reason is a CamelCase word: of the container (Error, OOMKilled,
	// StartError, ImagePullBackOff), the pod (Evicted) or the Job
	// (BackoffLimitExceeded, DeadlineExceeded, PodFailurePolicy). Kubernetes has the same
	// DeadlineExceeded for a Job that was canceled: its Class is ClassCanceled.
	Reason string
	// Message explains the failure for people, in one line.
	Message string
	// Class is that of the failure: of the pod named by Pod or, if the Job ended by itself
	// or no pod is known, of the Job. It is never empty in what a result returns.
	Class Class
	// Advice says in one line what to do. It is not part of Error, and may be empty.
	Advice string

	causes    []error
	completed bool // the Job did not fail: some of its pods did, or none ran
}

// Error returns one line that names what failed, where and why. The message, where
// there is one, names container, exit code and reason itself.
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

func newExitError(o *step.Outcome) *ExitError {
	if o == nil {
		return &ExitError{}
	}
	return &ExitError{Namespace: o.Namespace, Job: o.Job, Reason: o.Reason, Message: o.Message, completed: !o.Failed}
}

// classify fills in why the Job failed, of which blamed is the pod to blame. It is zero if
// there is none.
func (e *ExitError) classify(end pods.JobEnd, blamed pods.Outcome) {
	cause := causes.Of(end, blamed)
	e.Reason, e.Class, e.Advice, e.causes = cause.Reason, Class(cause.Class), cause.Advice, cause.Errors
}

// describe fills in what the pod's status says about the failure.
func (e *ExitError) describe(r *PodResult) {
	o := r.inspect()
	e.Pod = o.Name
	if r.Message != "" {
		e.Message = r.Message
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
	}
}

// addCauses adds what errors.Is finds of a pod that failed by itself.
func (e *ExitError) addCauses(o pods.Outcome) {
	for _, err := range causes.Of(pods.JobEnd{}, o).Errors {
		if !slices.Contains(e.causes, err) {
			e.causes = append(e.causes, err)
		}
	}
}

const (
	stateWaiting = "Waiting"
	// maxSignal is the highest signal number on Linux.
	maxSignal = 64
)

// noResult is the error of a verb. A step whose pod is lost is explained by its Job, and one
// whose pod was never created also by the Event that says why.
func noResult(verb string, err error) error {
	var lost *step.LostError
	if errors.As(err, &lost) {
		e := newExitError(lost.Outcome)
		var pod pods.Outcome
		if lost.Reason == "FailedCreate" {
			pod.Reason, pod.Message = lost.Reason, lost.Message
		}
		e.classify(lost.Outcome.End(), pod)
		return fmt.Errorf("kontinue: %s: %w: %w", verb, err, e)
	}
	return fmt.Errorf("kontinue: %s: %w", verb, err)
}
