package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kontinue/kontinue/internal/apicall"
)

// phase is what a step is doing. A step that sleeps is woken by an event of its Job or of
// its pods, by an alarm of its wait, by the end of the run's context or by that of the
// engine. What there is to do then is a turn. The turns of a step never overlap, and the
// pool bounds those of all steps.
type phase int

const (
	sleeping phase = iota
	queued         // for a turn
	turning        // or in Start
	over
)

// wake has the step take a turn. It does not block.
func (s *Step) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.phase {
	case sleeping:
		s.phase = queued
		s.engine.pool.submit(s.take)
	case turning:
		s.woken = true
	case queued, over:
	}
}

// hurry has the step take a turn at once, without a place in the pool.
func (s *Step) hurry() {
	s.wake()
	s.engine.pool.now(s.take)
}

// take runs the turn that the step is queued for, unless another goroutine has done so.
func (s *Step) take() {
	s.mu.Lock()
	mine := s.phase == queued
	if mine {
		s.phase, s.woken = turning, false
	}
	s.mu.Unlock()
	if mine {
		s.turn()
		s.engine.Notices.deliver(s.engine.pool.outside)
	}
}

// sleep ends a turn. A step that was woken meanwhile is queued for the next one.
func (s *Step) sleep() {
	s.mu.Lock()
	s.phase = sleeping
	again := s.woken
	s.mu.Unlock()
	switch {
	case again && s.run.ctx.Err() != nil:
		s.hurry() // as Run.over could not
	case again:
		s.wake()
	}
}

// turn does what there is to do, and ends the step or lets it sleep.
func (s *Step) turn() {
	ctx := apicall.WithWaiting(s.run.ctx, s.engine.outside)
	if s.retries != nil && s.retries.again {
		s.planAgain(ctx)
		return
	}
	if p := s.paused(); p != nil {
		if s.rest(ctx, p) {
			s.planAgain(ctx)
		}
		return
	}
	final, next, err := s.wait.advance(withTurn(ctx))
	switch {
	case err != nil:
		s.fail(ctx, err)
		return
	case !final:
		s.arm(next)
		s.sleep()
		return
	}
	o, err := s.result(withTurn(ctx))
	if !errors.Is(err, errEarlierAttempt) && !errors.Is(err, errFailedRun) {
		s.end(withTurn(ctx), o, err)
		return
	}
	s.planAgain(ctx)
}

// planAgain begins anew, with the Job whose result counts now, unless the step is being
// canceled.
func (s *Step) planAgain(ctx context.Context) {
	if !s.beginPlan() {
		if err := s.ended(ctx); err != nil {
			s.fail(ctx, fmt.Errorf("stopped waiting for the cancellation of the step, before it was known whether another run follows (a resume continues): %w", err))
			return
		}
		s.sleep()
		return
	}
	s.wait.end()
	runs := s.run.runs
	if s.retries != nil {
		runs = s.engine.Jobs.NewStepRuns(s.execution(), s.name)
	} else {
		runs.Invalidate()
	}
	var err error
	apicall.Waiting(ctx, func() { err = s.adoptOrCreate(ctx, runs) })
	s.endPlan()
	if s.retries != nil {
		if s.retries.again = errors.Is(err, errPlanAgain); s.retries.again {
			s.wake()
			s.sleep()
			return
		}
	}
	s.planned(ctx, err)
}

// planned ends the step or lets it sleep, after a plan.
func (s *Step) planned(ctx context.Context, err error) {
	switch p := s.paused(); {
	case err != nil:
		s.fail(ctx, err)
	case s.outcome != nil:
		o, err := s.result(ctx)
		s.end(ctx, o, err)
	case p != nil:
		s.reportPause(ctx, p)
		fallthrough
	default:
		s.wake() // what is there to decide may be known already
		s.sleep()
	}
}

// arm sets the timer for the next alarm of the wait; zero is none.
func (s *Step) arm(next time.Time) {
	switch {
	case next.IsZero() && s.timer != nil:
		s.timer.Stop()
	case next.IsZero():
	case s.timer == nil:
		s.timer = time.AfterFunc(time.Until(next), s.wake)
	default:
		s.timer.Reset(time.Until(next))
	}
}

// fail ends a step whose Job has not ended, as far as it is known.
func (s *Step) fail(ctx context.Context, err error) {
	if s.cancelOnDone && s.run.ctx.Err() != nil && !errors.Is(err, ErrNotRunning) {
		apicall.Waiting(ctx, func() { err = s.stopJob(err) })
	}
	s.end(ctx, nil, err)
}

// end ends the step with its result.
func (s *Step) end(ctx context.Context, o *Outcome, err error) {
	if err != nil {
		o, err = nil, s.explain(err)
	}
	s.outcome, s.err = o, err
	s.mu.Lock()
	s.phase = over
	s.mu.Unlock()
	s.endPlace(err)
	s.noticeEnded(ctx)
	s.run.closed(s)
	s.close(apicall.WithWaiting(s.run.ctx, s.engine.outside))
	close(s.done)
}

// stopFor bounds the requests that stop the Job of a step whose context has ended.
const stopFor = 10 * time.Second

// stopJob stops the Job of a step whose context has ended, and that of a create whose answer
// is not known. Stop waits for it. cause is why the step ends.
func (s *Step) stopJob(cause error) error {
	ctx, cancel := context.WithTimeout(s.engine.quiet(context.WithoutCancel(s.run.ctx)), stopFor)
	defer cancel()
	if err := s.cancelJob(ctx); err != nil {
		return fmt.Errorf("%w; the Job is not canceled, and may still be running: %w", cause, err)
	}
	return errCanceledWith(cause)
}
