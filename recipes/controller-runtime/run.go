package main

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/kontinue/kontinue"
)

// run is the present attempt of a Pipeline in this process. What is lost with the process is
// found again by the names of the steps.
type run struct {
	uid     types.UID
	attempt int
	ktx     *kontinue.ExecutionContext
	end     context.CancelFunc
	steps   map[string]*kontinue.Step[*kontinue.PodResult]
}

// run returns the run of the Pipeline's attempt.
func (r *reconciler) run(p *Pipeline) (*run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := client.ObjectKeyFromObject(p)
	if old := r.runs[key]; old != nil {
		if old.uid == p.UID && old.attempt == p.Status.Attempts {
			return old, nil
		}
		old.end()
	}
	ctx, end := context.WithCancel(r.ctx)
	ktx, err := r.kontinue.NewExecutionContext(ctx, execution(p))
	if err != nil {
		end()
		return nil, err
	}
	steps := map[string]*kontinue.Step[*kontinue.PodResult]{}
	r.runs[key] = &run{uid: p.UID, attempt: p.Status.Attempts, ktx: ktx, end: end, steps: steps}
	return r.runs[key], nil
}

// release lets go of a Pipeline whose end is saved, or that is being deleted.
func (r *reconciler) release(ctx context.Context, p *Pipeline) error {
	r.mu.Lock()
	key := client.ObjectKeyFromObject(p)
	if run := r.runs[key]; run != nil {
		run.end()
		delete(r.runs, key)
	}
	r.mu.Unlock()
	if !controllerutil.ContainsFinalizer(p, finalizer) {
		return nil
	}
	end := r.kontinue.Finish // the Jobs get their TTL
	if !p.DeletionTimestamp.IsZero() {
		end = r.kontinue.Cancel // they are stopped, whatever the deletion does to them
	}
	if err := end(ctx, execution(p)); err != nil {
		return err
	}
	controllerutil.RemoveFinalizer(p, finalizer)
	return client.IgnoreNotFound(r.Update(ctx, p))
}

// execution returns the Execution that the Pipeline is.
func execution(p *Pipeline) kontinue.Execution {
	e := kontinue.Execution{
		Namespace:   p.Namespace,
		Owner:       *metav1.NewControllerRef(p, groupVersion.WithKind("Pipeline")),
		Attempts:    p.Status.Attempts,
		ChildPolicy: kontinue.ChildPolicyRetryFailed,
		TTL:         &metav1.Duration{Duration: time.Hour},
	}
	if p.Status.Phase == running {
		e.Resumptions = 1 // a manager may have started it before
	}
	return e
}
