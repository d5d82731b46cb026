package step

import (
	"context"
	"errors"
	"fmt"

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
	// ErrDeadlineExceeded means that the Job ran into its activeDeadlineSeconds.
	ErrDeadlineExceeded = errors.New("deadline exceeded")
	// ErrCanceled means that the Job was canceled.
	ErrCanceled = errors.New("canceled")
)

var (
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

// errStillRunning is the error of a wait that ends although its Job does not.
//
//go:noinline
func errStillRunning(namespace, name string, cause error) error {
	return fmt.Errorf("stopped waiting for job %s/%s, which is still running: %w", namespace, name, cause)
}
