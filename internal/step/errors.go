package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/jobs"
)

// Errors that the root package gives its callers by the same names.
var (
	// ErrNotRunning means that the engine is not started, or was stopped.
	ErrNotRunning = errors.New("client is not running")
	// ErrSpecDrift means that an unnamed step found its Job made from another spec.
	ErrSpecDrift = errors.New("job was created from another spec")
	// ErrPodLost means that the Job failed and its pod was gone before its status was
	// observed.
	ErrPodLost = errors.New("pod is lost")
	// ErrNoPods means that the pods of the Job are not in this cluster.
	ErrNoPods = errors.New("no pods in this cluster")
	// ErrDeadlineExceeded means that the Job ran into its activeDeadlineSeconds.
	ErrDeadlineExceeded = causes.ErrDeadlineExceeded
	// ErrCanceled means that the Job was canceled.
	ErrCanceled = causes.ErrCanceled
)

var (
	// errGaveUp is of a Job that was given up, and does not end.
	errGaveUp  = errors.New("gave up")
	errStopped = fmt.Errorf("%w: it was stopped", ErrNotRunning)
	// errCanceledAndDeleted is of a Job that was canceled, and gone before it had ended.
	errCanceledAndDeleted = fmt.Errorf("%w: %w", ErrCanceled, jobs.ErrJobDeleted)

	errNotStarted = fmt.Errorf("%w: call Start first", ErrNotRunning)
)

// endOf returns how a context ended and, where a cause was given, why.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) && !errors.Is(cause, ErrNotRunning) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return context.Cause(ctx)
}

// waitError is the error of a wait that ended with its context or its client. It says what
// was waited for, and what its end means if it cancels the step.
type waitError struct {
	waited, canceled string
	cause            error
}

func (e *waitError) Error() string {
	return fmt.Sprintf("stopped waiting for %s: %v", e.waited, e.cause)
}

func (e *waitError) Unwrap() error { return e.cause }

// errStillRunning is the error of a wait that ends although its Job does not.
//
//go:noinline
func errStillRunning(namespace, name string, cause error) error {
	job := "job " + namespace + "/" + name
	return &waitError{job + ", which is still running", "stopped " + job, cause}
}

// errBackingOff is the error of a wait that ends in the back-off after the named Job.
func errBackingOff(namespace, name string, until time.Time, cause error) error {
	job := "job " + namespace + "/" + name
	waited := fmt.Sprintf("the run of the step that follows %s, which has failed, at %s (a resume continues)",
		job, until.Format(time.RFC3339))
	return &waitError{waited, "no run follows " + job, cause}
}

// errCanceledWith is the error of a step that was canceled since its context has ended.
func errCanceledWith(cause error) error {
	if w, ok := errors.AsType[*waitError](cause); ok {
		return fmt.Errorf("%w with the step's context: %s: %w", ErrCanceled, w.canceled, w.cause)
	}
	return fmt.Errorf("%w with the step's context: %w", ErrCanceled, cause)
}
