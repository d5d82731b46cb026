package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/kontinue/kontinue/internal/listwatch"
)

// resource is one of the two kinds of objects that are listed and watched.
type resource struct {
	name, namespace string
	object          runtime.Object
	listerWatcher   *listwatch.ListerWatcher
	events          cache.ResourceEventHandler
	log             *slog.Logger
	begun           atomic.Bool
	synced          []cache.DoneChecker // set by begin
}

// run is one start of the informers; client-go's cannot be started twice.
type run struct {
	factory   informers.SharedInformerFactory
	store     *store
	resources [2]*resource // Jobs and Pods, in the order in which they begin
	begin     func(*resource)
	changed   chan struct{}
	patience  time.Duration // for how long the start may get no further; 0: for ever
	idle      *time.Timer   // fires after that
	stopping  <-chan struct{}
	cancel    context.CancelFunc
	ending    sync.Once
	ready     chan struct{} // closed when the result of Start is known
	err       error
	abandoned bool          // because the caller's context ended
	gone      chan struct{} // closed when every goroutine has ended
}

// newRun starts the informer of Jobs.
func (w *Watcher) newRun() *run {
	// The informers live from Start to Stop, independently of Start's context: that of
	// an fx hook is canceled when the application has started.
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.FromSlogHandler(w.cfg.Logger.Handler())))
	factory := informers.NewSharedInformerFactoryWithOptions(w.cfg.Clientset, 0, informers.WithNamespace(w.cfg.Namespace))
	store := newStore(w.cfg.Handler, w.cfg.Readable)
	r := &run{
		factory: factory, store: store, stopping: ctx.Done(), cancel: cancel,
		ready: make(chan struct{}), gone: make(chan struct{}), changed: make(chan struct{}, 1),
		patience: w.cfg.StartTimeout, idle: time.NewTimer(w.cfg.StartTimeout),
		begin: func(res *resource) {
			res.inform(factory)
			res.begun.Store(true)
			factory.StartWithContext(ctx)
		},
	}
	if r.patience <= 0 {
		r.idle.Stop()
	}
	r.resources = [2]*resource{w.jobs(r), w.pods(r)}
	r.begin(r.resources[0])
	return r
}

// await waits until caches, handlers and watches are ready. The informer of Pods starts
// after the handler has seen the Jobs, which determine the Pods to keep.
func (r *run) await(ctx context.Context) error {
	for i, res := range r.resources {
		if i > 0 {
			r.begin(res)
		}
		if err := r.awaitOpen(ctx, r.resources[:i+1]); err != nil {
			return err
		}
		for _, s := range res.synced {
			select {
			case <-s.Done():
			case <-r.stopping:
				return ErrStopped
			case <-r.idle.C:
				return r.unready(r.idleError())
			case <-ctx.Done():
				return r.unready(context.Cause(ctx))
			}
		}
	}
	return nil
}

// awaitOpen waits until these watches are open. It returns an error at once if a right is
// missing.
func (r *run) awaitOpen(ctx context.Context, resources []*resource) error {
	for {
		waiting := 0
		for _, res := range resources {
			opened, err := res.listerWatcher.State()
			if err != nil && err.Denied() {
				return fmt.Errorf("watch: %w", (*Error)(err))
			}
			if !opened {
				waiting++
			}
		}
		if waiting == 0 {
			return nil
		}
		select {
		case <-r.changed:
		case <-r.stopping:
			return ErrStopped
		case <-r.idle.C:
			return r.unready(r.idleError())
		case <-ctx.Done():
			return r.unready(context.Cause(ctx))
		}
	}
}

// gotFurther is called when the first lists and watches have: a start among many Jobs
// takes its time, and would begin anew if it were ended.
func (r *run) gotFurther() {
	if r.patience > 0 {
		r.idle.Reset(r.patience)
	}
}

func (r *run) idleError() error {
	return fmt.Errorf("no progress within StartTimeout (%s): %w", r.patience, context.DeadlineExceeded)
}

// unready returns why Start gives up: the failed requests, if there are any.
func (r *run) unready(cause error) error {
	errs := []error{fmt.Errorf("watch: caches are not synced: %w", cause)}
	for _, res := range r.resources {
		if err := res.problem("no answer to list and watch"); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// problem returns why a resource is not healthy, or nil; silent is what to say when its
// watch was never open and no request has failed.
func (res *resource) problem(silent string) error {
	opened, err := res.listerWatcher.State()
	switch {
	case err != nil:
		return (*Error)(err)
	case opened:
		return nil
	case !res.begun.Load():
		return fmt.Errorf("list and watch of %s in namespace %q have not begun: they follow the jobs", res.name, res.namespace)
	default:
		return fmt.Errorf("%s of %s in namespace %q", silent, res.name, res.namespace)
	}
}

// end stops the informers; gone is closed when their goroutines have ended.
func (r *run) end() {
	r.cancel()
	r.idle.Stop()
	r.ending.Do(func() {
		go func() {
			defer close(r.gone)
			r.factory.Shutdown()
		}()
	})
}
