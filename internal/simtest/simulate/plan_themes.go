package simulate

import (
	"fmt"
	"time"

	"github.com/kontinue/kontinue"
)

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

// planAway makes a plan in which the first worker dies early and the next one comes late:
// meanwhile Jobs end, and pods go, and no worker sees it.
func (p *Plan) planAway(d dice) {
	p.Calm = 6 * time.Minute
	for i := range 1 + d.IntN(2) {
		p.Executions = append(p.Executions, newExecution(d, i, false))
	}
	first := Process{Name: "w0", CrashAt: time.Second + d.upTo(20*time.Second)}
	next := Process{Name: "w1", Start: 4*time.Minute + d.upTo(time.Minute), Foreign: d.chance(0.2)}
	for i := range p.Executions {
		f := Function{Execution: i}
		first.Functions = append(first.Functions, f)
		f.Begin, f.Resumptions = next.Start, 1
		if d.chance(0.5) {
			f.Attempt, f.Resumptions = 1, 0
		}
		next.Functions = append(next.Functions, f)
	}
	p.Processes = []Process{first, next}
	p.Events = []Event{{Kind: pick(d, DeletePod, ForceDeletePod), At: time.Minute + d.upTo(3*time.Minute), Times: 1000}}
}
