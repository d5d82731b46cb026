package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/jobs"
)

// retries are the state of a step that may run again: Spec.Retry is set.
type retries struct {
	// last is the outcome of the last run that has failed within this call, and the UID of
	// its Job.
	last    *Outcome
	lastUID types.UID
	again   bool // a plan was abandoned, since the step was canceled meanwhile

	// Guarded by Step.mu.
	pause    *pause                  // until the next run; nil if the step does not back off
	planning chan struct{}           // closed at the end of the plan under way, which may create a run
	holds    int                     // calls that are canceling the step: no plan begins
	held     int                     // so many there were
	leave    context.CancelCauseFunc // ends the plan's wait for room; nil unless it waits
}

// pause is a back-off. No goroutine waits for its end, only an alarm.
type pause struct {
	alarm
	until time.Time // by the clock of the cluster
	run   jobs.Run  // that has failed
	over  bool
	look  bool // plan before it is over
}

// errFailedRun means that a run has failed that another one may follow, so that the step has
// to plan.
var errFailedRun = errors.New("the run has failed, and another one may follow")

// now is the time of the cluster. A back-off that was waited out is over, however far that
// clock is behind the one by which its end was written.
func (s *Step) now() time.Time {
	now := s.engine.Clock.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.retries.pause; p != nil && p.over {
		return later(now, p.until)
	}
	return now
}

func (s *Step) paused() *pause {
	if s.retries == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.retries.pause
}

// backOff begins the back-off after a run that has failed. A run that is known to have failed
// has ended, so that the whole back-off from now on is enough by any clock.
func (s *Step) backOff(got jobs.Acquired) {
	p := &pause{until: got.Until, run: got.Run}
	d := got.Backoff
	if now := s.engine.Clock.now(); !now.IsZero() {
		d = min(d, got.Until.Sub(now))
	}
	p.after(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retries.pause = p
}

// endPause is called when the step has another run, or its result.
func (s *Step) endPause() {
	if s.retries == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retries.pause = nil
}

// ended returns why nothing is waited for any more, or nil.
func (s *Step) ended(ctx context.Context) error {
	if err := s.wait.future.Err(); err != nil || ctx.Err() == nil {
		return err
	}
	return endOf(ctx)
}

// rest is the turn of a step that backs off. It reports whether the step has to plan now.
func (s *Step) rest(ctx context.Context, p *pause) bool {
	if err := s.ended(ctx); err != nil {
		s.fail(ctx, errBackingOff(s.execution().Namespace, p.run.Name, p.until, err))
		return false
	}
	var next time.Time
	s.mu.Lock()
	p.over = p.over || p.due(time.Now(), &next)
	plan := p.over || p.look
	p.look = false
	s.mu.Unlock()
	if plan {
		return true
	}
	s.arm(next)
	s.sleep()
	return false
}

// beginPlan reports whether the step may plan. It may not while it is being canceled, and is
// woken after that.
func (s *Step) beginPlan() bool {
	if s.retries == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retries.holds > 0 {
		return false
	}
	s.retries.planning = make(chan struct{})
	return true
}

// endPlan ends what beginPlan has begun.
func (s *Step) endPlan() {
	if s.retries == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retries.planning != nil {
		close(s.retries.planning)
		s.retries.planning = nil
	}
}

// errPlanAgain means that the step was canceled while its plan waited for room.
var errPlanAgain = errors.New("the step was canceled while it waited for room")

// pausePlan lets a Cancel through while the plan waits for room, before anything is sent. It
// returns what resumePlan needs, which reports whether the plan still holds. leave ends the
// wait.
func (s *Step) pausePlan(leave context.CancelCauseFunc) (held int) {
	if s.retries == nil {
		return -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retries.planning == nil {
		return -1 // in Start
	}
	close(s.retries.planning)
	s.retries.planning, s.retries.leave = nil, leave
	return s.retries.held
}

func (s *Step) resumePlan(held int) bool {
	if held < 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retries.leave = nil
	if s.retries.held != held {
		return false
	}
	s.retries.planning = make(chan struct{})
	return true
}

// hold keeps the step from planning until release is called, and waits for the plan that is
// under way, which may create a run.
func (s *Step) hold(ctx context.Context) (release func(), err error) {
	if s.retries == nil {
		return func() {}, nil
	}
	s.mu.Lock()
	s.retries.holds++
	s.retries.held++
	planning := s.retries.planning
	if s.retries.leave != nil {
		s.retries.leave(errPlanAgain)
	}
	s.mu.Unlock()
	release = func() {
		s.mu.Lock()
		s.retries.holds--
		if p := s.retries.pause; p != nil {
			p.look = true // what the plan finds may end the step
		}
		s.mu.Unlock()
		s.wake()
	}
	if planning == nil {
		return release, nil
	}
	select {
	case <-planning:
		return release, nil
	case <-ctx.Done():
		release()
		return nil, context.Cause(ctx)
	}
}

// reportPause reports that the step backs off.
func (s *Step) reportPause(ctx context.Context, p *pause) {
	if s.engine.Report != nil {
		r := p.progress()
		r.Resumed = s.wait.resumed
		apicall.Waiting(ctx, func() { s.report(r) })
	}
}

// beforeNext is the state of a step that has not ended, although its newest run may have
// failed.
func (s *Step) beforeNext(r Report) Report {
	if p := s.paused(); p != nil {
		return p.progress()
	}
	if s.retries != nil && r.State == Failed {
		r.State, r.Reason, r.Message = Pending, reasonBackOff, fmt.Sprintf("job %s has failed: %s", r.Job, r.Message)
	}
	return r
}

// reasonBackOff is the reason of a step that waits for its next run.
const reasonBackOff = "BackOff"

func (p *pause) progress() Report {
	return Report{
		Job: p.run.Name, State: Pending, Reason: reasonBackOff,
		Message: fmt.Sprintf("run %d follows at %s: job %s has failed", p.run.Number+1, p.until.UTC().Format(time.RFC3339), p.run.Name),
	}
}
