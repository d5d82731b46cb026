package jobs

import (
	"context"
	"sync"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/identity"
)

// Runs holds the Jobs of an Execution for one run of its function. One LIST reads them
// for all steps, when the first step needs it. They are a hint for the plan; the API
// server decides. It is safe for concurrent use.
type Runs struct {
	client    *Client
	execution identity.Execution
	selector  string // of the Jobs that are read

	mu      sync.Mutex
	stale   bool               // the next plan needs a list that begins after this
	doubted bool               // also one that finds a living run in the cache
	begun   int                // number of the last list that has begun, from 1
	done    int                // number of the last one that has succeeded
	listing chan struct{}      // closed at the end of the list under way; nil without one
	steps   map[string][]Found // by step
}

// NewRuns returns a Runs that has read nothing. resumed means that the Execution's
// function has run before, in this attempt or an earlier one, so the first step reads
// the Jobs. Otherwise the first create decides.
func (c *Client) NewRuns(e identity.Execution, resumed bool) *Runs {
	return &Runs{client: c, execution: e, selector: identity.ExecutionSelector(e.UID), stale: resumed}
}

// NewStepRuns returns a Runs of one step only, which reads the Jobs first.
func (c *Client) NewStepRuns(e identity.Execution, step string) *Runs {
	return &Runs{client: c, execution: e, selector: identity.StepSelector(e.UID, step), stale: true, doubted: true}
}

// Invalidate makes the next plan read the Jobs again, whatever a cache shows.
func (r *Runs) Invalidate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale, r.doubted = true, true
}

// invalid reports whether the cache may show a Job that is known to be gone.
func (r *Runs) invalid() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doubted
}

// of returns the Jobs of a step, and reads them first if they may be stale. It also
// reports whether the list began after the call, and so is newer than what the caller
// knew.
func (r *Runs) of(ctx context.Context, step string) (_ []Found, fresh bool, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number, fresh := r.done, r.stale
	switch {
	case fresh:
		number = r.begun + 1 // one that is under way may have missed what made this one necessary
	case r.listing != nil:
		number = r.begun
	}
	if err := r.read(ctx, number); err != nil {
		return nil, false, err
	}
	return r.steps[step], fresh, nil
}

// release drops the Jobs of a step that has its run.
func (r *Runs) release(step string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.steps, step)
}

// read returns when the list with that number, or a later one, has succeeded. One
// caller sends it and the others wait for it. If it fails, the next one of them tries.
// The caller holds the lock, which read releases meanwhile.
func (r *Runs) read(ctx context.Context, number int) error {
	for r.done < number {
		if under := r.listing; under != nil {
			r.mu.Unlock()
			select {
			case <-under:
			case <-ctx.Done():
			}
			r.mu.Lock()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		}
		r.begun++
		this, under := r.begun, make(chan struct{})
		r.listing, r.stale, r.doubted = under, false, false
		r.mu.Unlock()
		steps, err := r.list(ctx)
		r.mu.Lock()
		r.listing = nil
		close(under)
		if err != nil {
			r.stale, r.doubted = true, true
			return err
		}
		r.steps, r.done = steps, this
	}
	return nil
}

// list reads the Execution's Jobs of every worker group.
func (r *Runs) list(ctx context.Context) (steps map[string][]Found, err error) {
	err = r.client.eachJob(ctx, r.execution.Namespace, r.selector,
		func() { steps = map[string][]Found{} },
		func(job *batchv1.Job) {
			if f := find(job); f.OwnerUID == r.execution.UID {
				steps[f.Metadata.Step] = append(steps[f.Metadata.Step], f)
			}
		})
	return steps, err
}
