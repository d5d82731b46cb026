package kontinue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/kontinue/kontinue/internal/step"
)

// Step is a step that was started, as an os/exec.Cmd is after its Start: a Job, and the
// wait for its end. R is its result, a *[JobResult] or a *[PodResult].
//
// The wait ends by itself, also if Wait is never called: when the Job has ended and its
// outcome is recorded, when the context of the ExecutionContext ends, or when the client
// stops. A Step that is not waited for has no goroutine. All methods are safe for
// concurrent use.
type Step[R any] struct {
	step    *step.Step
	verb    string
	convert func(*step.Outcome) (R, error)

	once  sync.Once
	value R
	err   error
}

// StartJob is [RunJob] without the wait: it returns when the Job exists, created by this
// call or found. Where [Config].MaxRunning bounds the Jobs, that may be later: it waits for
// room. Its errors are those of RunJob that precede the wait.
//
// An unnamed step holds its ordinal until it ends, so that steps that are open at the same
// time need names. One that ends without a result gives its name back, as in RunJob.
func StartJob(ktx *ExecutionContext, opts *JobOptions) (*Step[*JobResult], error) {
	return startJob("StartJob", ktx, opts)
}

// StartPod is [RunPod] without the wait: see [StartJob].
func StartPod(ktx *ExecutionContext, opts *PodOptions) (*Step[*PodResult], error) {
	return startPod("StartPod", ktx, opts)
}

// StartScript is [RunScript] without the wait: see [StartJob].
func StartScript(ktx *ExecutionContext, opts *ScriptOptions) (*Step[*PodResult], error) {
	return startScript("StartScript", ktx, opts)
}

// Name returns the step's name, of an unnamed one "step-1", "step-2" and so on.
func (s *Step[R]) Name() string { return s.step.Name() }

// JobName returns the name of the step's Job, in the namespace of the Execution.
func (s *Step[R]) JobName() string {
	_, name := s.step.Job()
	return name
}

// Done returns a channel that is closed when the step has ended, with a result or an error.
func (s *Step[R]) Done() <-chan struct{} { return s.step.Done() }

// Wait waits for the step's end and returns what [RunJob] or [RunPod] would return. It may
// be called several times, and returns the same each time. The end of ctx ends the call
// with an error that wraps its cause, and not the step.
func (s *Step[R]) Wait(ctx context.Context) (R, error) {
	var none R
	if ctx == nil {
		return none, invalid("Wait", errNilContext)
	}
	select {
	case <-s.Done():
	case <-ctx.Done():
		if _, err := s.step.Wait(ctx); err != nil {
			return none, fmt.Errorf("kontinue: Wait: %w", err)
		}
	}
	return s.result()
}

// result is what the step ended with.
func (s *Step[R]) result() (R, error) {
	s.once.Do(func() {
		o, err := s.step.Wait(context.Background())
		if err == nil {
			s.value, err = s.convert(o)
		}
		if err != nil {
			s.err = noResult(s.verb, err)
		}
	})
	return s.value, s.err
}

// Progress returns the state of the step as the client knows it. It sends no request. The
// last state of a step that ended without a result is the one that was known then.
func (s *Step[R]) Progress() Progress { return newProgress(s.step.Progress()) }

// Cancel stops the step's Job for good, as [Client.Cancel] does with all Jobs of an
// Execution, and returns when the API server has accepted that. The step ends when the Job
// has ended, with a result whose Err is an [ErrCanceled]. A step that backs off before its
// next run (see [Retry]) ends with the result of the run that has failed. Cancel of a step
// that has a result does nothing.
func (s *Step[R]) Cancel(ctx context.Context) error {
	if ctx == nil {
		return invalid("Cancel", errNilContext)
	}
	if err := s.step.Cancel(ctx); err != nil {
		return fmt.Errorf("kontinue: Cancel: %w", err)
	}
	return nil
}

// Logs writes the step's logs to w, from their first lines and as they come, and returns
// when all containers have ended and all is written, or when ctx ends. It writes as
// StepOptions.Logs does, also after the step's end as long as its pods exist. Of a container
// that is running when a step ends without a result, it writes what there is by then, and
// returns an error. It may be called several times. Of opts, which may be nil, only Container counts: it names the one
// container to follow. The others say which part of a log [PodResult.Logs] returns, and are
// an [ErrInvalid] here.
//
// The error wraps the error of w, the cause of ctx or, if a log cannot be read to its end,
// an [ErrLogsGone], an [ErrNoPods] or the response of the API server. It also says that no
// container of that name has run.
func (s *Step[R]) Logs(ctx context.Context, w io.Writer, opts *LogOptions) error {
	container := ""
	switch {
	case ctx == nil:
		return invalid("Logs", errNilContext)
	case w == nil:
		return invalid("Logs", errors.New("the writer is nil"))
	case opts != nil && *opts != (LogOptions{Container: opts.Container}):
		return invalid("Logs", errors.New("of LogOptions only Container applies to a log that is followed from its first line"))
	case opts != nil:
		container = opts.Container
	}
	if err := s.step.Logs(ctx, w, container); err != nil {
		return fmt.Errorf("kontinue: Logs: %w", err)
	}
	return nil
}
