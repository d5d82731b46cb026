package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// run is one start of the informers; client-go's cannot be started twice.
type run struct {
	store    *store
	changed  chan struct{}
	log      *slog.Logger
	patience time.Duration // for how long the start may get no further; 0: for ever
	idle     *time.Timer   // fires after that

	informers context.Context // ends with end
	cancel    context.CancelFunc
	each      func() []*pair // instead of the cluster-wide pair if that is forbidden, or nil

	mu    sync.Mutex
	pairs []*pair
	ended bool

	ready     chan struct{} // closed when the result of Start is known
	err       error
	abandoned bool          // because the caller's context ended
	gone      chan struct{} // closed when every goroutine has ended
}

// newRun returns a run whose informers have not begun.
func (w *Watcher) newRun() *run {
	r := &run{
		store: newStore(w.cfg.Handler, w.cfg.Readable), log: w.cfg.Logger, changed: make(chan struct{}, 1),
		patience: w.cfg.StartTimeout, idle: time.NewTimer(w.cfg.StartTimeout),
		ready: make(chan struct{}), gone: make(chan struct{}),
	}
	if r.patience <= 0 {
		r.idle.Stop()
	}
	// The informers live from Start to Stop, independently of Start's context: that of
	// an fx hook is canceled when the application has started.
	r.informers, r.cancel = context.WithCancel(klog.NewContext(context.Background(), logr.FromSlogHandler(w.cfg.Logger.Handler())))
	switch namespaces := slices.Clone(w.cfg.Namespaces); len(namespaces) {
	case 0:
		r.pairs = []*pair{w.pair(r, w.cfg.Namespace, nil)}
	case 1:
		r.pairs = []*pair{w.pair(r, namespaces[0], nil)}
	default:
		r.pairs = []*pair{w.pair(r, metav1.NamespaceAll, namespaces)}
		r.each = func() (pairs []*pair) {
			for _, namespace := range namespaces {
				pairs = append(pairs, w.pair(r, namespace, nil))
			}
			return pairs
		}
	}
	return r
}

// await waits until caches, handlers and watches are ready. It opens watches for each of
// several namespaces if cluster-wide ones are forbidden.
func (r *run) await(ctx context.Context) error {
	err := r.awaitPairs(ctx)
	var refused *Error
	if r.each == nil || !errors.As(err, &refused) || !apierrors.IsForbidden(refused) {
		return err
	}
	r.log.Info("cluster-wide watches are forbidden: each namespace gets its own", "error", err)
	if err := r.narrow(ctx); err != nil {
		return err
	}
	return r.awaitPairs(ctx)
}

// narrow replaces the cluster-wide pair. The store begins anew: what the one has shown may
// be gone when the others begin.
func (r *run) narrow(ctx context.Context) error {
	all := r.pairs[0] // only narrow changes them
	all.cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		all.factory.Shutdown()
	}()
	if err := r.awaitDone(ctx, ended); err != nil {
		return err
	}
	if ctx.Err() != nil { // both may be done
		return r.unready(context.Cause(ctx))
	}
	r.store.clear()
	r.gotFurther()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return ErrStopped
	}
	r.pairs = r.each()
	return nil
}

// awaitPairs begins the informers and waits for them. Those of Pods start after the handler
// has seen the Jobs, which determine the Pods to keep.
func (r *run) awaitPairs(ctx context.Context) error {
	all := r.resources()
	jobs := all[:len(all)/2]
	if err := r.awaitResources(ctx, jobs, jobs); err != nil {
		return err
	}
	return r.awaitResources(ctx, all[len(jobs):], all)
}

// awaitResources begins some of the informers and waits until they are synced and the
// watches of all are open.
func (r *run) awaitResources(ctx context.Context, begin, all []*resource) error {
	for _, res := range begin {
		res.begin()
	}
	if err := r.awaitOpen(ctx, all); err != nil {
		return err
	}
	for _, res := range begin {
		for _, s := range res.synced {
			if err := r.awaitDone(ctx, s.Done()); err != nil {
				return err
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
		if err := r.awaitDone(ctx, r.changed); err != nil {
			return err
		}
	}
}

// awaitDone waits for a value or the end of a channel.
func (r *run) awaitDone(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-r.informers.Done():
		return ErrStopped
	case <-r.idle.C:
		return r.unready(fmt.Errorf("no progress within StartTimeout (%s): %w", r.patience, context.DeadlineExceeded))
	case <-ctx.Done():
		return r.unready(context.Cause(ctx))
	}
}

// gotFurther is called when the first lists and watches have: a start among many Jobs
// takes its time, and would begin anew if it were ended.
func (r *run) gotFurther() {
	if r.patience > 0 {
		r.idle.Reset(r.patience)
	}
}

// unready returns why Start gives up: the failed requests, if there are any.
func (r *run) unready(cause error) error {
	errs := []error{fmt.Errorf("watch: caches are not synced: %w", cause)}
	return errors.Join(append(errs, r.problems("no answer to list and watch")...)...)
}

// maxProblems is how many watches an error names: each of hundreds of namespaces may have
// the same problem.
const maxProblems = 4

// problems returns what is wrong with the watches.
func (r *run) problems(silent string) (errs []error) {
	more := 0
	for _, res := range r.resources() {
		switch err := res.problem(silent); {
		case err == nil:
		case len(errs) < maxProblems:
			errs = append(errs, err)
		default:
			more++
		}
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("and the same or another problem with %d more watches", more))
	}
	return errs
}

// resources returns those of Jobs and, in the same order, those of Pods.
func (r *run) resources() []*resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*resource, 2*len(r.pairs))
	for i, p := range r.pairs {
		all[i], all[len(r.pairs)+i] = p.jobs, p.pods
	}
	return all
}

// end stops the informers; gone is closed when their goroutines have ended.
func (r *run) end() {
	r.cancel()
	r.idle.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.ended = true
	go func(pairs []*pair) {
		defer close(r.gone)
		for _, p := range pairs {
			p.factory.Shutdown()
		}
	}(r.pairs)
}
