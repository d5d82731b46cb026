package step

import (
	"context"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// Execution is the Execution of a [Run].
type Execution struct {
	identity.Execution
	// Owner refers to the Execution's object.
	Owner metav1.OwnerReference
	// Attempt is the number of retries so far.
	Attempt int
	// Resumed reports whether the function has run before in this attempt.
	Resumed bool
	// Policy says which finished steps run again in a later attempt.
	Policy jobs.Policy
}

// Run is one run of an Execution's function. It is safe for concurrent steps.
type Run struct {
	*function
	ctx context.Context

	mu   sync.Mutex
	open map[*Step]struct{} // that have not ended
	stop func() bool        // set while there are any: see opened
}

// function is what the runs share that differ in their contexts only.
type function struct {
	engine    *Engine
	id        uint64 // unique in the engine
	execution Execution
	runs      *jobs.Runs

	names
}

// names are those of the steps of a run.
type names struct {
	mu       sync.Mutex
	ordinal  int             // of the last unnamed step
	inFlight bool            // an unnamed step is running
	used     map[string]bool // the names of this attempt's steps
}

// NewRun returns a run whose steps wait under ctx.
func (e *Engine) NewRun(ctx context.Context, x Execution) *Run {
	return (&Run{function: &function{
		engine: e, id: e.runs.Add(1), execution: x, names: names{used: make(map[string]bool)},
		runs: e.Jobs.NewRuns(x.Execution, x.Attempt > 0 || x.Resumed),
	}}).WithContext(ctx)
}

// WithContext returns the same run, whose steps wait under another context.
func (r *Run) WithContext(ctx context.Context) *Run {
	return &Run{function: r.function, ctx: ctx, open: make(map[*Step]struct{})}
}

// opened has the end of the context wake the step until it is closed.
func (r *Run) opened(s *Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) == 0 {
		r.stop = context.AfterFunc(r.ctx, r.over)
	}
	r.open[s] = struct{}{}
}

func (r *Run) closed(s *Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, s)
	if len(r.open) == 0 {
		r.stop()
	}
}

// over is called when the context has ended. The steps do not queue for their turns behind
// those of others, whose requests may have no answer.
func (r *Run) over() {
	if r.engine.enterCall() != nil {
		return // it was stopped, which has woken them
	}
	defer r.engine.calls.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.open {
		s.hurry()
	}
}

// Context returns the context that the steps wait under.
func (r *Run) Context() context.Context { return r.ctx }

// Engine returns the engine that created the run.
func (r *Run) Engine() *Engine { return r.engine }

// claimName claims the step's name for this attempt and returns the function that the
// step calls at its end with whether it has a result. A step that failed with an error
// releases its name or ordinal: a function that calls it again means the same step,
// and must find the Job that may exist. An unnamed step is named by its ordinal, which
// identifies the same step after a restart only if unnamed steps run one at a time.
func (r *names) claimName(name string) (step string, release func(result bool), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" {
		if r.inFlight {
			return "", nil, errors.New("another step without a Name is in flight: steps that run at the same time need a StepOptions.Name each, since their order is not the same after a restart")
		}
		r.ordinal++
		r.inFlight = true
		return identity.StepName(r.ordinal), func(result bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.inFlight = false
			if !result {
				r.ordinal--
			}
		}, nil
	}
	if err := identity.ValidateStepName(name); err != nil {
		return "", nil, err
	}
	if r.used[name] {
		return "", nil, fmt.Errorf("StepOptions.Name %q was used already in this run of the function: a name stands for one step", name)
	}
	r.used[name] = true
	return name, func(result bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !result {
			delete(r.used, name)
		}
	}, nil
}
