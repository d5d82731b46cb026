package simulate

import (
	"fmt"
	"time"

	"github.com/kontinue/kontinue"
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

// planLoad makes a plan in which many steps begin or end at once, and creates, or the
// watch of pods, are slow. There is no other fault, so that results must come soon.
func (p *Plan) planLoad(d dice) {
	p.Calm = 2 * time.Minute
	e := Execution{Name: "e0", Policy: kontinue.ChildPolicyNone, Parallel: true, Finish: d.chance(0.5)}
	run := 2*time.Second + d.upTo(10*time.Second)
	together := d.chance(0.5) // they end together
	n, slots := 40+d.IntN(60), pick(d, 4, 8)
	if !together {
		slots = pick(d, 2, 4) // so that creates take longer than the first steps
	}
	for k := range n {
		t := Try{Run: run, Code: pick[int32](d, 0, 0, 7), TermCode: 143}
		if !together {
			t.Run = d.upTo(5 * time.Second)
		}
		e.Steps = append(e.Steps, Step{
			Name: fmt.Sprintf("s%d", k+1), Kind: pick(d, Job, Pod, Script), Pods: 1, Runs: [][]Try{{t}}, Logs: d.chance(0.1),
		})
	}
	p.Executions = []Execution{e}
	p.Processes = []Process{{Name: "w0", MaxInFlight: slots, Functions: []Function{{}}}}
	switch {
	case together:
		p.Events = append(p.Events, Event{Kind: Lag, For: p.Calm, Worker: "w0", Resource: "pods", Delay: time.Duration(1+d.IntN(3)) * time.Second},
			Event{Kind: Slow, For: p.Calm, Worker: "w0", Verb: "list", Resource: "pods", Delay: time.Duration(d.IntN(2000)) * time.Millisecond})
	case d.chance(0.5):
		p.Events = append(p.Events, Event{Kind: Slow, For: p.Calm, Worker: "w0", Verb: "create", Resource: "jobs", Delay: time.Duration(1000+d.IntN(1500)) * time.Millisecond})
	default:
		p.Events = append(p.Events, Event{Kind: Busy, At: 3 * time.Second, For: p.Calm, Worker: "w0", Verb: "create", Resource: "jobs", RetryAfter: 1})
	}
	if d.chance(0.5) {
		p.Events = append(p.Events, Event{Kind: Cancel, At: time.Second + d.upTo(20*time.Second), Worker: "w0"})
	}
}
