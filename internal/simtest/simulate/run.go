package simulate

import (
	"fmt"
	"time"
)

// run carries out the plan. The world is stopped when it returns.
func (w *world) run() (violations []Violation) {
	fail := func(format string, args ...any) {
		violations = append(violations, Violation{Invariant: "I4", Text: fmt.Sprintf(format, args...)})
	}
	for i := range w.plan.Processes {
		w.start(&w.plan.Processes[i])
	}
	for i := range w.plan.Events {
		w.actors.Go(func() { w.event(&w.plan.Events[i]) })
	}
	w.sleep(w.ctx, w.plan.Calm)
	close(w.calm)
	w.actors.Wait()
	w.heal()
	w.history.note("calm")
	ended := w.settle(fail)
	if ended {
		last := w.last()
		if w.settle(fail) {
			w.finish(last)
		}
	}
	for _, p := range w.processes {
		if err := p.stop(); err != nil {
			fail("%s: Stop: %v", p.plan.Name, err)
		}
	}
	w.functions.Wait()
	for _, p := range w.processes {
		p.wire.requests.Wait()
	}
	w.cluster.Stop()
	return violations
}

// settle returns when all functions have returned, which it reports, or when a call is
// overdue.
func (w *world) settle(fail func(format string, args ...any)) bool {
	ended := make(chan struct{})
	w.actors.Go(func() {
		w.functions.Wait()
		close(ended)
	})
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return true
		case <-tick.C:
			if late := w.history.overdue(w.patience); len(late) > 0 {
				for _, c := range late {
					fail("%s of %s by %s in attempt %d has not returned after %s", c.Verb, w.history.stepOf(c), c.Worker, c.Attempt, time.Since(c.Begin))
				}
				return false
			}
		}
	}
}

// patience is how long a call may take after the faults have ended.
func (w *world) patience(c *Call) time.Duration {
	const (
		requests = 3 * time.Minute  // one that times out, and the longest pauses
		dead     = 10 * time.Minute // the wait for an earlier run
		backoff  = 2 * time.Minute  // the Job controller's and the kubelet's
	)
	s := w.history.step(c)
	if s == nil || c.Verb == "Logs" {
		return requests
	}
	patience := requests + dead
	if s.Grace > 0 {
		patience += s.Grace
	}
	for range s.Retries + 1 {
		patience += 3*time.Minute + backoff
	}
	return 2 * patience // an earlier run may have to end first
}

// last starts a process that runs all functions once more.
func (w *world) last() *process {
	p := Process{Name: "last", Start: time.Since(w.history.Begin)}
	for i := range w.owners {
		if w.owners[i].gone {
			continue
		}
		f := Function{Execution: i, Begin: p.Start}
		for _, earlier := range w.plan.Processes {
			for _, g := range earlier.Functions {
				if g.Execution != i {
					continue
				}
				if f.Attempt = max(f.Attempt, g.Attempt); g.Attempt == f.Attempt {
					f.Resumptions = max(f.Resumptions, g.Resumptions+1)
				}
			}
		}
		p.Functions = append(p.Functions, f)
	}
	return w.start(&p)
}

// finish ends the Executions that a plan wants to end, and waits until their Jobs may be
// gone.
func (w *world) finish(p *process) {
	longest := time.Duration(0)
	for i, e := range w.owners {
		if !e.Finish || e.gone {
			continue
		}
		c := w.history.begin(Call{Worker: p.plan.Name, Verb: "Finish", Execution: i, Final: true})
		err := p.client.Finish(w.ctx, w.execution(i, 0, 0))
		w.history.end(c, false, err, nil)
		longest = max(longest, e.TTL)
	}
	w.sleep(w.ctx, time.Since(w.history.Begin)+longest+10*time.Minute)
}
