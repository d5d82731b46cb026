package simulate

import (
	"fmt"
	"time"

	"github.com/kontinue/kontinue"
)

func newExecution(d dice, i int, disturbed bool) Execution {
	e := Execution{
		Name:   fmt.Sprintf("e%d", i),
		Policy: pick(d, kontinue.ChildPolicyNone, kontinue.ChildPolicyRetryFailed, kontinue.ChildPolicyRetryFailed, kontinue.ChildPolicyRetryAll),
		Finish: d.chance(0.7),
	}
	if d.chance(0.5) {
		e.TTL = d.upTo(2 * time.Minute)
	}
	if e.Parallel = d.chance(0.6); !e.Parallel {
		e.Unnamed = d.chance(0.5)
	}
	n := 1 + d.IntN(8)
	if d.chance(0.1) {
		n = 1 + d.IntN(20)
	}
	for k := range n {
		s := newStep(d, disturbed)
		if s.Name = fmt.Sprintf("s%d", k+1); e.Unnamed {
			s.Name = fmt.Sprintf("step-%d", k+1)
		}
		if e.Parallel && d.chance(0.5) {
			s.Pause = d.upTo(time.Minute)
		}
		e.Steps = append(e.Steps, s)
	}
	return e
}

func newStep(d dice, disturbed bool) Step {
	s := Step{Kind: pick(d, Job, Pod, Script), Pods: 1, Logs: d.chance(0.3)}
	if s.Kind == Job {
		if d.chance(0.4) {
			s.Pods = 1 + d.Int32N(4)
		}
		s.Indexed = d.chance(0.3)
		if d.chance(0.5) {
			s.Retries = d.Int32N(3)
		}
		s.OnFailure = s.Retries > 0 && d.chance(0.2)
		if d.chance(0.2) {
			s.TTL = d.Int32N(60)
		}
	}
	if s.Kind != Script {
		s.Init, s.Sidecar = d.chance(0.2), d.chance(0.2)
		if d.chance(0.2) {
			s.Grace = pick(d, 0, 5*time.Second, 10*time.Minute)
		}
	}
	if disturbed && d.chance(0.25) {
		s.Timeout = time.Second + d.upTo(90*time.Second)
	}
	for range 1 + d.IntN(3) {
		var tries []Try
		for range 1 + d.IntN(3) {
			tries = append(tries, newTry(d, s))
		}
		s.Runs = append(s.Runs, tries)
	}
	return s
}

// planAgain has some of the steps run again. It has dice of its own, so that the rest of the
// plan does not depend on it.
func (p *Plan) planAgain(d dice) {
	for i := range p.Executions {
		for k := range p.Executions[i].Steps {
			s := &p.Executions[i].Steps[k]
			if !d.chance(0.3) {
				continue
			}
			s.Again = kontinue.Retry{Limit: d.IntN(3), Infrastructure: d.IntN(3), ReplaceDisrupted: s.Kind != Job && d.chance(0.2)}
			if s.Again.Limit > 0 && s.Timeout > 0 && d.chance(0.5) {
				s.Again.Classes = []kontinue.Class{kontinue.ClassUser, kontinue.ClassTimeout}
			}
			if s.runsAgain() {
				s.Again.Backoff = pick(d, 0, time.Second, 30*time.Second, 2*time.Minute)
			}
		}
	}
}

// runsAgain reports whether another run of the step may follow in the same attempt.
func (s *Step) runsAgain() bool { return s.Again.Limit+s.Again.Infrastructure > 0 }

func newTry(d dice, s Step) Try {
	t := Try{Run: d.upTo(pick(d, 0, 20*time.Second, time.Minute, 3*time.Minute)), TermCode: 143}
	switch {
	case d.chance(0.4):
		t.Code = 1 + d.Int32N(100)
	case d.chance(0.05):
		t.Code, t.OOM = 137, true
	}
	switch {
	case s.Grace == 10*time.Minute:
		t.TermDelay, t.TermCode = d.upTo(6*time.Minute), pick[int32](d, 0, 3, 143)
	case d.chance(0.3):
		t.TermDelay, t.TermCode = d.upTo(40*time.Second), pick[int32](d, 0, 3, 143)
	}
	return t
}
