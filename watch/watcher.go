package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
)

// Handler receives every change of the watched Jobs and Pods. Its methods are called
// from the informers' goroutines: one at a time for the Jobs of a namespace and one at a
// time for its Pods, in the order of the API server within each of the two, and in no order
// between them or between namespaces. Two calls for one Job, or for one Pod, never overlap.
// The methods must be safe for concurrent use, must be quick, must not block and must be
// idempotent: a relist repeats states.
type Handler interface {
	// JobChanged is called for a Job that was added or modified. If the Job has its
	// record, the cache no longer holds it.
	JobChanged(*Job)
	// JobDeleted is called with the last known state of a Job that is gone or is no
	// longer selected, as when its step was recorded: only a read of the Job
	// distinguishes the two. The state is the one before that change.
	JobDeleted(*Job)
	// PodChanged is called for a Pod that was added or modified, whether the cache
	// holds it or not. A list leaves out finished Pods that the cache would not hold.
	PodChanged(*Pod)
	// PodDeleted is called with the last known state of a Pod that is gone.
	PodDeleted(*Pod)
}

// Config says what to watch. Clientset, JobSelector, PodSelector and Handler are
// required.
type Config struct {
	Clientset kubernetes.Interface
	// Namespace is where the Jobs and Pods are; empty stands for all namespaces.
	Namespace string
	// Namespaces are several, instead of Namespace. Two cluster-wide watches serve all of
	// them, of which the objects of other namespaces are dropped on arrival. If these are
	// forbidden at Start, there are two watches for each namespace.
	Namespaces []string
	// JobSelector is the label selector of LIST and WATCH of the Jobs: those of a worker
	// group whose step has no record yet. PodSelector is that of the Pods, on which
	// nothing shows whether their step has one.
	JobSelector, PodSelector string
	Handler                  Handler
	// Readable reports whether the text of a record (Job.Record) can be read. A Job with
	// such a record is not held, also without the label that JobSelector excludes. It must
	// be quick. Default: any text is readable.
	Readable func(record string) bool
	// StartTimeout bounds how long Start waits while it gets no further. Default: as long
	// as its context.
	StartTimeout time.Duration
	// Logger receives the informers' log lines. Default: discarded.
	Logger *slog.Logger
}

// Watcher holds the living Jobs of one worker group and their Pods in memory: see the
// package comment. Create it with [New]. All methods are safe for concurrent use.
type Watcher struct {
	cfg   Config
	reads podReads

	mu      sync.Mutex
	stopped bool
	run     *run // nil unless started
}

// New returns a watcher that is not started.
func New(cfg Config) *Watcher {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Readable == nil {
		cfg.Readable = func(string) bool { return true }
	}
	return &Watcher{cfg: cfg, reads: podReads{sending: make(chan struct{}, maxPodLists)}}
}

// Start opens the watches, of Jobs first, and returns when the caches are synced and the
// handler has seen their content. ctx bounds the start only. If it is done first, Start
// makes no progress for Config.StartTimeout, or a right is missing, Start stops what it
// began and returns an error that wraps an [*Error] with verb, resource and namespace.
// Start is idempotent: a concurrent second call waits for the result of the first, and
// starts again if the first failed because its context was done. After a failed start it
// may be called again; after Stop it returns [ErrStopped].
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
			// The context of the first caller was done before this one's.
		case <-ctx.Done():
			return r.unready(context.Cause(ctx))
		}
	}
}

// join returns the current run, or begins one; nil after Stop.
func (w *Watcher) join() (r *run, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return nil, false
	case w.run != nil:
		return w.run, false
	default:
		w.run = w.newRun() // under the lock, so that a Stop that follows has something to stop
		return w.run, true
	}
}

// complete waits for the run that this call began. A failed one stays in w.run until its
// goroutines have ended, so that a concurrent Stop waits for them.
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

// Stop closes the watches and returns when every goroutine of the watcher has ended, or
// with an error when ctx ends first; goroutines that are left then end by themselves.
// It is idempotent, and the watcher cannot be started after it.
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

// Healthy returns nil while all watches are open. Otherwise the error wraps the
// [*Error] of the last failed request. A watch is also unhealthy if it ended more than
// two seconds ago, or has received no event or bookmark for two minutes, unless the
// clientset is a fake one that sends no bookmarks. The informers keep retrying, so there
// is no need to restart the process.
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
	return errors.Join(r.problems("no open watch")...)
}
