package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

// ErrStopped is returned by Start after Stop.
var ErrStopped = errors.New("watch: stopped")

// Handler is told of every change in the cache. Its methods are called from
// the informers' goroutines, one at a time for Jobs and one at a time for
// Pods, in the order of the API server within each of the two and in no order
// between them. They must be quick, must not block and must be idempotent: a
// relist repeats what is known already.
type Handler interface {
	// JobChanged is called for a Job that was added or modified.
	JobChanged(*Job)
	// JobDeleted is called with the last known state of a Job that is gone, or
	// whose labels no longer match.
	JobDeleted(*Job)
	// PodChanged is called for a Pod that was added or modified.
	PodChanged(*Pod)
	// PodDeleted is called with the last known state of a Pod that is gone.
	PodDeleted(*Pod)
}

// Config says what to watch. Clientset, Namespace, Selector and Handler are
// required.
type Config struct {
	Clientset kubernetes.Interface
	Namespace string
	// Selector is the label selector of both LIST and WATCH requests.
	Selector string
	Handler  Handler
	// Finished, if set, tells of a Job whose Pods nobody will ask for any more. The
	// cache keeps little of such a Job, and the Pods of the last [RecentlyFinished]
	// alone; the Handler is told of both as of others. It is called for each state of
	// a Job and must be quick.
	Finished func(*Job) bool
	// Logger receives the informers' log lines. Default: discarded.
	Logger *slog.Logger
}

// Watcher keeps the Jobs and Pods of one worker group in memory. Make it with
// [New]; all methods are safe for concurrent use.
type Watcher struct {
	cfg Config

	mu      sync.Mutex
	stopped bool
	run     *run // nil unless started
}

// New returns a watcher that is not started.
func New(cfg Config) *Watcher {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Watcher{cfg: cfg}
}

// Start opens the two watches and returns when the caches are filled and the
// handler was told of their content. ctx bounds the start only. When it ends
// first, or a right is missing, Start stops what it began and returns an error
// that wraps an [*Error] with verb and resource. Start is idempotent: a second
// call waits for the first one's outcome, and begins anew if the first one's
// context ended too early. After a failed start it may be called again; after
// Stop it returns [ErrStopped].
func (w *Watcher) Start(ctx context.Context) error {
	for {
		r, first := w.join()
		switch {
		case r == nil:
			return ErrStopped
		case first:
			return w.complete(ctx, r)
		}
		select {
		case <-r.ready:
			if !r.abandoned {
				return r.err
			}
			// The first caller had less time than this one has.
		case <-ctx.Done():
			return r.unready(ctx)
		}
	}
}

// join returns the run that is under way, or begins one; nil after Stop.
func (w *Watcher) join() (r *run, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return nil, false
	case w.run != nil:
		return w.run, false
	default:
		w.run = w.begin()
		return w.run, true
	}
}

// complete waits for the run that this call began. A failed one stays w.run until
// nothing of it is left, so that a Stop meanwhile waits for its goroutines as well.
func (w *Watcher) complete(ctx context.Context, r *run) error {
	r.err = r.await(ctx)
	if r.err != nil {
		r.abandoned = ctx.Err() != nil
		r.end()
		<-r.gone
		w.mu.Lock()
		w.run = nil
		w.mu.Unlock()
	}
	close(r.ready)
	return r.err
}

// begin starts the informers. It is called under the lock, so that a Stop that
// follows finds something to stop.
func (w *Watcher) begin() *run {
	// The informers live from Start to Stop, whatever becomes of Start's
	// context: that of an fx hook ends when the application has started.
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.FromSlogHandler(w.cfg.Logger.Handler())))
	c, ns := w.cfg.Clientset, w.cfg.Namespace
	factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(ns))
	store := newStore(w.cfg.Handler, w.cfg.Finished)
	r := &run{factory: factory, store: store, stopping: ctx.Done(), cancel: cancel, ready: make(chan struct{}), gone: make(chan struct{}), changed: make(chan struct{}, 1)}
	r.sources = [2]*source{
		{resource: "jobs", list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return c.BatchV1().Jobs(ns).List(ctx, w.selected(o))
		}, watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.BatchV1().Jobs(ns).Watch(ctx, w.selected(o))
		}},
		{resource: "pods", list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return c.CoreV1().Pods(ns).List(ctx, w.selected(o))
		}, watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.CoreV1().Pods(ns).Watch(ctx, w.selected(o))
		}},
	}
	for _, s := range r.sources {
		s.namespace, s.changed = ns, r.changed
		s.log = w.cfg.Logger.With("resource", s.resource, "namespace", ns)
	}
	r.synced = append(r.sources[0].inform(factory, &batchv1.Job{}, jobReceiver(store)),
		r.sources[1].inform(factory, &corev1.Pod{}, podReceiver(store))...)
	factory.StartWithContext(ctx)
	return r
}

// selected adds the watcher's selector, and further requirements, to o.
func (w *Watcher) selected(o metav1.ListOptions, and ...string) metav1.ListOptions {
	o.LabelSelector = strings.Join(append([]string{w.cfg.Selector}, and...), ",")
	return o
}

// Stop closes the watches and returns when every goroutine of the watcher has
// ended, or with an error when ctx ends first; what still runs then ends by
// itself. It is idempotent, and a started or starting watcher cannot be
// started again after it.
func (w *Watcher) Stop(ctx context.Context) error {
	w.mu.Lock()
	w.stopped = true
	r := w.run
	w.mu.Unlock()
	if r == nil {
		return nil
	}
	r.end()
	select {
	case <-r.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("watch: informers have not ended: %w", context.Cause(ctx))
	}
}

// Healthy returns nil while both watches are open and heard of, and otherwise an
// error that wraps the [*Error] of what failed last. Through a transport of
// [CloseIdle] that includes a watch that was ended more than two seconds ago and
// one from which no event and no bookmark came for two minutes. The informers go
// on trying; a process need not be restarted for it.
func (w *Watcher) Healthy() error {
	w.mu.Lock()
	r, stopped := w.run, w.stopped
	w.mu.Unlock()
	if stopped {
		return ErrStopped
	}
	if r == nil {
		return errors.New("watch: not started")
	}
	var errs []error
	for _, s := range r.sources {
		if opened, err := s.state(); err != nil {
			errs = append(errs, err)
		} else if !opened {
			errs = append(errs, fmt.Errorf("watch of %s in namespace %q is not open yet", s.resource, s.namespace))
		}
	}
	return errors.Join(errs...)
}
