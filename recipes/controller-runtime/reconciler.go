package main

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kontinue/kontinue"
)

// finalizer stays while Jobs of the Pipeline may be running or have not got their TTL.
const finalizer = "recipes.example.com/jobs"

// reconciler brings Pipelines forward, one look at a time: it starts a step and returns, and
// the end of the step calls it again.
type reconciler struct {
	client.Client
	kontinue *kontinue.Client
	ctx      context.Context         // the manager's: a step outlives the Reconcile that has started it
	ended    chan event.GenericEvent // the Pipelines of the steps that have ended

	mu   sync.Mutex
	runs map[types.NamespacedName]*run
}

// setUp starts nothing: the manager does.
func (r *reconciler) setUp(mgr manager.Manager) error {
	r.Client, r.runs = mgr.GetClient(), map[types.NamespacedName]*run{}
	return builder.ControllerManagedBy(mgr).For(&Pipeline{}).
		WatchesRawSource(source.Channel(r.ended, &handler.EnqueueRequestForObject{})).
		Complete(r)
}

// stepEnded is Observer.StepEnded of the client.
func (r *reconciler) stepEnded(_ context.Context, e kontinue.StepEnd) {
	p := &Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Owner.Name}}
	select {
	case r.ended <- event.GenericEvent{Object: p}:
	case <-r.ctx.Done():
	}
}

// Reconcile never waits for a step.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	p := &Pipeline{}
	if err := r.Get(ctx, request.NamespacedName, p); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !p.DeletionTimestamp.IsZero() || p.Status.Phase == succeeded || p.Status.Phase == failed {
		return reconcile.Result{}, r.release(ctx, p)
	}
	if controllerutil.AddFinalizer(p, finalizer) {
		return reconcile.Result{}, r.Update(ctx, p) // whose event is the next look
	}
	status, err := r.advance(p)
	if status != p.Status {
		p.Status = status
		if err := r.Status().Update(ctx, p); err != nil { // a conflict if p is not the newest
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, err
}

// advance starts the next step if the one before it has succeeded, and returns the status.
func (r *reconciler) advance(p *Pipeline) (PipelineStatus, error) {
	status := p.Status
	run, err := r.run(p)
	if err != nil {
		return status, err
	}
	status.Phase = running
	for _, s := range p.Spec.Steps {
		step := run.steps[s.Name]
		if step == nil { // a request that creates the Job, or finds it
			step, err = kontinue.StartScript(run.ktx, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: s.Name, Timeout: time.Hour},
				Image:       p.Spec.Image, Command: s.Command,
			})
			if err != nil {
				return status, err
			}
			run.steps[s.Name] = step
		}
		status.Step = s.Name
		select {
		case <-step.Done():
		default:
			return status, nil // stepEnded is the next look
		}
		result, err := step.Wait(r.ctx)
		if err != nil { // there is no result: start the step again, and so resume it
			delete(run.steps, s.Name)
			return status, err
		}
		if err := result.Err(); err != nil {
			status.Message = err.Error()
			if status.Attempts++; status.Attempts > p.Spec.Retries {
				status.Phase, status.Attempts = failed, p.Spec.Retries
			}
			return status, nil
		}
	}
	status.Phase = succeeded
	return status, nil
}
