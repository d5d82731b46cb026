package step

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/events"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/watch"
)

// Parts are the parts of an [Engine]. Those without another default are required.
type Parts struct {
	Watcher    *watch.Watcher
	Dispatcher *dispatch.Dispatcher[Event]
	Jobs       *jobs.Client
	Logs       *logs.Reader
	// Events, if set, explain what the status of Jobs and pods does not.
	Events *events.Reader
	// Clock is that of the cluster. Nil means one that observes objects only.
	Clock *Clock
	// StartLimits bound the start of each Job. Nil means no limits.
	StartLimits starts.Limits
	// PodTemplate is the base of every step's pod template, or nil.
	PodTemplate *corev1.PodTemplateSpec
	// Group is the worker group.
	Group  string
	Logger *slog.Logger
	// Report, if set, is called with each change of a step, one call for a step at a time.
	Report func(Report)
	// Room bounds how many Jobs run at a time. Nil means no bound.
	Room *Room
	// Observer is called with what happens to the steps, by way of Notices. Default: one of
	// its own.
	Observer Observer
	Notices  *Notices
	// Preflight, if set, is called by Start before the watches are opened. Its error is that
	// of Start.
	Preflight func(ctx context.Context) error
	// Recorder, if set, is called with what happens to the steps.
	Recorder Recorder
}

// WatchConfig returns the configuration of a watcher that sends its events to the
// dispatcher, and has room admit steps.
func WatchConfig(clientset kubernetes.Interface, namespace, group string, d *dispatch.Dispatcher[Event], room *Room, log *slog.Logger) watch.Config {
	return watch.Config{
		Clientset:   clientset,
		Namespace:   namespace,
		JobSelector: identity.LivingSelector(group),
		PodSelector: identity.Selector(group),
		Readable:    record.Readable,
		Handler:     router{d, room},
		Logger:      log,
	}
}

// Engine runs steps. Create it with [New]. It is safe for concurrent use.
type Engine struct {
	Parts

	life context.Context // ends with Stop
	end  context.CancelCauseFunc

	mu    sync.Mutex
	state engineState
	calls sync.WaitGroup // in progress; a step is one until its end
	pool  *pool

	steps    atomic.Uint64 // so many have begun
	runs     atomic.Uint64 // likewise
	queues   queues
	retrying retrying
}

type engineState int

const (
	created engineState = iota
	started
	stopped
)

// maxTurns is how many steps have something to do at a time: as many as requests are open
// by default.
const maxTurns = 64

// New returns an engine that is not started.
func New(p Parts) *Engine {
	if p.Clock == nil {
		p.Clock = NewClock()
	}
	if p.Notices == nil {
		p.Notices = NewNotices(p.Logger)
	}
	if p.Room != nil {
		p.Room.watcher = p.Watcher
	}
	e := &Engine{Parts: p, pool: newPool(maxTurns)}
	e.life, e.end = context.WithCancelCause(context.Background())
	return e
}

// Start opens the watches and returns when the caches are synced. If they do not sync
// before ctx is done, or nothing arrives for the watcher's StartTimeout, the error says
// why. After Stop it returns [ErrNotRunning].
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	first := e.state == created && e.Preflight != nil
	e.mu.Unlock()
	if first {
		if err := e.Preflight(e.quiet(ctx)); err != nil {
			return err
		}
	}
	if err := e.Watcher.Start(ctx); err != nil {
		if errors.Is(err, watch.ErrStopped) {
			return errStopped
		}
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == stopped {
		return errStopped
	}
	e.state = started
	return nil
}

// Stop ends every call with [ErrNotRunning], closes the watches, and returns when
// everything has ended, ctx is done or the timeout expires. If ctx is already done,
// only the timeout applies.
func (e *Engine) Stop(ctx context.Context, timeout time.Duration) error {
	e.mu.Lock()
	e.state = stopped
	e.mu.Unlock()
	e.end(errStopped)
	e.Dispatcher.Close(errStopped)
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := errors.Join(e.Watcher.Stop(ctx), e.Jobs.Close(ctx)); err != nil {
		return err
	}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		e.calls.Wait()
		e.pool.wait()
		e.Notices.wait()
	}()
	select {
	case <-returned:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("steps have not returned yet: %w", context.Cause(ctx))
	}
}

// outside is that of the pool. What a turn has posted is called meanwhile.
func (e *Engine) outside(wait func()) {
	e.Notices.start()
	e.pool.outside(wait)
}

// Healthy returns nil while both watches are open and alive, and otherwise why they
// are not.
func (e *Engine) Healthy() error {
	e.mu.Lock()
	err := e.stateError()
	e.mu.Unlock()
	if err != nil {
		return err
	}
	return e.Watcher.Healthy()
}

// enterCall admits a call, whose end Stop then waits for.
func (e *Engine) enterCall() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.stateError(); err != nil {
		return err
	}
	e.calls.Add(1)
	return nil
}

// stateError returns nil while the engine is running. The caller holds the lock.
func (e *Engine) stateError() error {
	switch e.state {
	case started:
		return nil
	case stopped:
		return errStopped
	default:
		return errNotStarted
	}
}

// quiet returns a context for requests, for which client-go would otherwise print its log
// lines.
func (e *Engine) quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, logr.FromSlogHandler(e.Logger.Handler()))
}

// requestContext returns the context of the requests of a call, which ends with ctx
// and with the engine, and with end.
func (e *Engine) requestContext(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(e.quiet(ctx))
	over := func() { cancel(context.Cause(e.life)) }
	release := context.AfterFunc(e.life, over)
	if e.life.Err() != nil {
		over() // immediately, so that nothing more is sent
	}
	return ctx, func() {
		release()
		cancel(nil)
	}
}

// beginCall admits a call that consists only of requests, until end is called.
func (e *Engine) beginCall(ctx context.Context) (_ context.Context, end func(), _ error) {
	if err := e.enterCall(); err != nil {
		return nil, nil, err
	}
	ctx, done := e.requestContext(ctx)
	return ctx, func() {
		done()
		e.calls.Done()
	}, nil
}

// Tail returns the last lines of a container's log.
func (e *Engine) Tail(ctx context.Context, ref logs.Ref, o logs.TailOptions) (string, error) {
	ctx, end, err := e.beginCall(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	return e.Logs.Tail(ctx, ref, o)
}
