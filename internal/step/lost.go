package step

import (
	"context"
	"errors"
)

// LostError is the error of a step without a result: its Job failed, and there is no
// pod to explain it. The root package describes the failure of the Job.
type LostError struct {
	// Outcome is what is known about the Job and its pods.
	Outcome *Outcome
	err     error // nil when no pod was ever created

	// Reason and Message are those of the Event that says why no pod was created, and empty
	// where none does.
	Reason, Message string
}

// Error says that the pod is missing.
func (e *LostError) Error() string {
	if e.err != nil {
		return e.err.Error() + ": it was gone before its exit codes were read"
	}
	if e.Message != "" {
		return "no pod was created: " + e.Reason + ": " + e.Message
	}
	return "no pod was created"
}

// Unwrap returns [ErrPodLost] for a pod that is gone.
func (e *LostError) Unwrap() error { return e.err }

// explainLost adds to the error of a step without a pod what the Events of the Job say.
func (s *Step) explainLost(ctx context.Context, err error) {
	var lost *LostError
	if !errors.As(err, &lost) || lost.err != nil {
		return
	}
	ctx, end := s.engine.requestContext(ctx)
	defer end()
	lost.Reason, lost.Message = s.wait.warning(ctx, s.wait.uid)
}
