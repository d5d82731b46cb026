package kontinuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/flight"
)

// begin starts a recorded step, and returns when that has sent its first request.
func (r *replay) begin(c *replayedClient, id uint64, recorded *flight.Step) {
	x := recorded.Execution
	run := c.runs[recorded.Run]
	if run == nil {
		run = c.engine.NewRun(context.Background(), x)
		c.runs[recorded.Run] = run
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &replayedStep{
		RecordedStep: &RecordedStep{StepEnd: kontinue.StepEnd{StepInfo: kontinue.StepInfo{
			ID: id, Namespace: x.Namespace, Owner: x.Owner, Attempt: x.Attempt, Step: recorded.Name,
		}}},
		cancel: cancel, ended: make(chan struct{}),
	}
	c.steps[id] = s
	r.mu.Lock()
	c.begun = s
	r.open++
	r.result.Steps = append(r.result.Steps, s.RecordedStep)
	r.mu.Unlock()
	c.calls.Go(func() {
		handle, err := run.WithContext(ctx).Start(spec(recorded))
		r.mu.Lock()
		s.handle = handle
		refused := err != nil && c.begun == s // before it began
		r.mu.Unlock()
		if refused {
			r.end(s, kontinue.StepEnd{StepInfo: s.StepInfo, Err: err})
		}
	})
	synctest.Wait()
}

// began is called by the client for the step that begins now.
func (r *replay) began(c *replayedClient, info kontinue.StepInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.byID[info.ID] = c.begun
	c.begun = nil
}

// stepEnded is called by the client.
func (r *replay) stepEnded(c *replayedClient, e kontinue.StepEnd) {
	r.mu.Lock()
	s := c.byID[e.ID]
	r.mu.Unlock()
	if s != nil {
		r.end(s, e)
	}
}

func (r *replay) end(s *replayedStep, e kontinue.StepEnd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || s.Ended {
		return
	}
	e.ID = s.ID
	s.StepEnd, s.Ended = e, true
	close(s.ended)
	r.open--
	select {
	case r.ended <- struct{}{}:
	default:
	}
}

// giveUp says of a step that has not ended what it waits for.
func (s *replayedStep) giveUp() {
	if s.Ended {
		return
	}
	s.Err = fmt.Errorf("the step has not ended %s after the last line of the recording", afterLast)
	if s.handle == nil {
		s.Err = fmt.Errorf("%w: it has no Job yet", s.Err)
		return
	}
	p := s.handle.Progress()
	s.Job = p.Job
	s.Err = fmt.Errorf("%w: job %s is %s %s %s", s.Err, p.Job, p.State, p.Reason, p.Message)
}

// difference is how the end of a step differs from the recorded one, or nothing.
func (s *RecordedStep) difference() string {
	was := s.Recorded
	switch {
	case was == nil && !s.Ended:
		return ""
	case was == nil:
		return "the recording has no end of it; in the replay it ended: " + ending(&s.StepEnd)
	case !s.Ended:
		return fmt.Sprintf("recorded: %s; in the replay: %v", ending(was), s.Err)
	case s.State == "" && !slices.Equal(flight.Names(s.Err), flight.Names(was.Err)), s.State != was.State, s.State != "" && ending(&s.StepEnd) != ending(was):
		return fmt.Sprintf("recorded: %s; in the replay: %s", ending(was), ending(&s.StepEnd))
	}
	return ""
}

// ending describes an end.
func ending(e *kontinue.StepEnd) string {
	switch e.State {
	case kontinue.StepFailed:
		return fmt.Sprintf("%s (class %s, reason %s, pod %s, container %s, exit code %d)", e.State, e.Class, e.Reason, e.Pod, e.Container, e.ExitCode)
	case "":
		return fmt.Sprintf("no result: %v", e.Err)
	default:
		return string(e.State)
	}
}

// recordedEnd is the end of a step as it was recorded.
func recordedEnd(s *RecordedStep, e *flight.End) *kontinue.StepEnd {
	out := &kontinue.StepEnd{
		StepInfo: s.StepInfo, State: kontinue.StepState(e.State), Class: kontinue.Class(e.Class), Reason: e.Reason,
		Pod: e.Pod, Container: e.Container, ExitCode: e.ExitCode,
	}
	out.Job, out.Adopted = e.Job, e.Adopted
	switch {
	case e.Text != "":
		out.Err = flight.EndError(e.Text, e.Is)
	case out.State == kontinue.StepFailed:
		out.Err = errors.New(ending(out))
	}
	return out
}

// causeOf is that of a context whose end was recorded.
func causeOf(e *flight.Error) error {
	switch {
	case e == nil, e.Canceled && e.Text == context.Canceled.Error():
		return context.Canceled
	case e.Deadline:
		return context.DeadlineExceeded
	}
	return errors.New(e.Text)
}

func textOf(e *flight.Error) string {
	switch {
	case e == nil:
		return "no error"
	case e.Status != nil:
		return e.Status.Message
	}
	return e.Text
}
