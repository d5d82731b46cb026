package simulate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
)

// errCrashed is the cause with which the contexts of a process that crashed end.
var errCrashed = errors.New("the process has crashed")

// process is a worker process that runs.
type process struct {
	*world
	plan   *Process
	client *kontinue.Client
	wire   *wire
	// ctx is that of its functions, which the crash and the end of the process cancel.
	ctx    context.Context
	cancel context.CancelCauseFunc
	crash  func()

	mu       sync.Mutex
	started  bool
	canceled map[int]bool // Executions
	running  map[int][]context.CancelFunc
	stopped  sync.Once
	stopErr  error
}

// start adds a process, which begins at its time.
func (w *world) start(plan *Process) *process {
	p := &process{world: w, plan: plan, canceled: map[int]bool{}, running: map[int][]context.CancelFunc{}}
	p.ctx, p.cancel = context.WithCancelCause(w.ctx)
	p.crash = sync.OnceFunc(func() {
		w.history.note(plan.Name + " crashes")
		close(p.wire.dead)
		p.cancel(errCrashed)
		// What is left of it waits for answers, and would ask again for days.
		time.AfterFunc(time.Second, func() { _ = p.stop() })
	})
	config := w.cluster.APIServer().Config(plan.Name)
	p.wire = &wire{
		inner: config.Transport, detach: plan.Detach, crashOn: plan.CrashOn, crashBefore: plan.CrashBefore, crash: p.crash,
		dead: make(chan struct{}), lists: map[string]int{}, maxLists: map[string]int{},
	}
	config.Transport = p.wire
	c := kontinue.Config{RESTConfig: config, Namespace: namespace, MaxInFlight: plan.MaxInFlight, SkipPreflight: true}
	if plan.Foreign {
		config.QPS = -1
		c.RESTConfig, c.Clientset = nil, kubernetes.NewForConfigOrDie(config)
	}
	var err error
	if p.client, err = kontinue.New(c); err != nil {
		panic(fmt.Sprint("simulate: ", err)) // the plan is wrong
	}
	w.processes = append(w.processes, p)
	w.history.processes = append(w.history.processes, p)
	w.functions.Go(p.run)
	return p
}

// run starts the client and runs the functions.
func (p *process) run() {
	if !p.sleep(p.ctx, p.plan.Start) {
		return
	}
	if at := p.plan.CrashAt; at > 0 {
		defer time.AfterFunc(at-p.plan.Start, p.crash).Stop()
	}
	for p.client.Start(p.ctx) != nil {
		if !p.sleep(p.ctx, time.Since(p.history.Begin)+5*time.Second) {
			return
		}
	}
	p.mu.Lock()
	p.started = true
	p.mu.Unlock()
	if at := p.plan.Stop; at > 0 {
		defer time.AfterFunc(at-p.plan.Start, func() {
			p.history.note(p.plan.Name + " stops")
			_ = p.stop()
		}).Stop()
	}
	var running sync.WaitGroup
	for i := range p.plan.Functions {
		running.Go(func() { p.function(&p.plan.Functions[i]) })
	}
	running.Wait()
}

// stop ends the client.
func (p *process) stop() error {
	p.stopped.Do(func() { p.stopErr = p.client.Stop(context.Background()) })
	return p.stopErr
}

// function runs an Execution's function once.
func (p *process) function(f *Function) {
	if !p.sleep(p.ctx, f.Begin) {
		return
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.mu.Lock()
	canceled := p.canceled[f.Execution]
	p.running[f.Execution] = append(p.running[f.Execution], cancel)
	p.mu.Unlock()
	if canceled {
		return
	}
	ktx, err := p.client.NewExecutionContext(ctx, p.execution(f.Execution, f.Attempt, f.Resumptions))
	if err != nil {
		panic(fmt.Sprint("simulate: ", err)) // the plan is wrong
	}
	e := p.owners[f.Execution]
	if !e.Parallel {
		for i := range e.Steps {
			if !p.step(ktx, f, &e.Steps[i]) {
				return
			}
		}
		return
	}
	var steps sync.WaitGroup
	for i := range e.Steps {
		steps.Go(func() { p.step(ktx, f, &e.Steps[i]) })
	}
	steps.Wait()
}

// step runs one step, and again if it returns an error. It reports whether there is a
// result.
func (p *process) step(ktx *kontinue.ExecutionContext, f *Function, s *Step) bool {
	e := p.owners[f.Execution]
	ctx := ktx.Context()
	if s.Pause > 0 && !p.sleep(ctx, time.Since(p.history.Begin)+s.Pause) {
		return false
	}
	template := Call{
		Worker: p.plan.Name, Verb: string(s.Kind), Execution: f.Execution, Attempt: f.Attempt, Step: s.Name, Final: p.plan.Name == "last",
	}
	for try := 0; ; try++ {
		c := p.history.begin(template)
		result, pod, err := s.call(ktx, e.Unnamed)
		p.history.end(c, ctx.Err() != nil || errors.Is(err, kontinue.ErrNotRunning), err, result)
		if err == nil {
			if s.Logs && pod != nil {
				template.Verb = "Logs"
				c := p.history.begin(template)
				_, err := pod.Logs(ktx, nil)
				p.history.end(c, ctx.Err() != nil, err, nil)
			}
			return true
		}
		if try >= f.Again || ctx.Err() != nil || !p.sleep(ctx, time.Since(p.history.Begin)+5*time.Second) {
			return false
		}
	}
}

// end ends the functions of an Execution in this process and calls Cancel.
func (p *process) end(execution int) {
	p.mu.Lock()
	started := p.started
	p.canceled[execution] = true
	for _, cancel := range p.running[execution] {
		cancel()
	}
	p.mu.Unlock()
	if !started || p.ctx.Err() != nil {
		return
	}
	c := p.history.begin(Call{Worker: p.plan.Name, Verb: "Cancel", Execution: execution})
	err := p.client.Cancel(p.ctx, p.execution(execution, 0, 0))
	p.history.end(c, p.ctx.Err() != nil || errors.Is(err, kontinue.ErrNotRunning), err, nil)
}
