package simulate

import (
	"fmt"
	"time"
)

// planProcesses lets one to five processes run the functions: after each other and at the
// same time, in one attempt and in several.
func (p *Plan) planProcesses(d dice) {
	n := 1
	if p.Theme != Undisturbed {
		n += d.IntN(5)
	}
	attempts, resumptions := make([]int, len(p.Executions)), make([]int, len(p.Executions))
	start := time.Duration(0)
	for i := range n {
		w := Process{Name: fmt.Sprintf("w%d", i), Start: start, Foreign: d.chance(0.2), Detach: d.chance(0.5)}
		if d.chance(0.3) {
			w.MaxInFlight = 1 + d.IntN(8)
		}
		for e := range p.Executions {
			if i > 0 && d.chance(0.3) {
				continue
			}
			if i > 0 {
				if d.chance(0.5) {
					attempts[e], resumptions[e] = attempts[e]+1, 0
				} else {
					resumptions[e]++
				}
			}
			f := Function{Execution: e, Attempt: attempts[e], Resumptions: resumptions[e], Begin: start, Again: pick(d, 0, 0, 1, 3)}
			if d.chance(0.3) {
				f.Begin += d.upTo(30 * time.Second)
			}
			w.Functions = append(w.Functions, f)
		}
		if p.Theme != Undisturbed {
			p.planEnd(d, &w)
		}
		p.Processes = append(p.Processes, w)
		// Attempts that begin at the same instant are the hardest.
		start += pick(d, 0, time.Second, d.upTo(30*time.Second), d.upTo(p.Calm/2))
	}
}

// planEnd decides how a process ends, if it does.
func (p *Plan) planEnd(d dice, w *Process) {
	switch {
	case d.chance(0.25):
		w.CrashOn, w.CrashBefore = 1+d.IntN(3*p.Steps()+6), d.chance(0.5)
	case d.chance(0.3):
		w.CrashAt = w.Start + time.Second + d.upTo(2*time.Minute)
	case d.chance(0.1):
		w.Stop = w.Start + time.Second + d.upTo(2*time.Minute)
	}
}
