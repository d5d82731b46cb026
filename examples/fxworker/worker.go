package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"go.uber.org/fx"

	"github.com/kontinue/kontinue"
)

// maxAttempts is the maximum number of attempts of an Execution.
const maxAttempts = 2

// errShutdown is the cause with which the functions' contexts are canceled when the
// app stops.
var errShutdown = errors.New("the worker is shutting down")

// worker takes Executions from a queue and runs their functions, opts.workers at a
// time.
type worker struct {
	opts     options
	client   *kontinue.Client
	store    *store
	log      *slog.Logger
	shutdown fx.Shutdowner

	cancel context.CancelCauseFunc
	pool   sync.WaitGroup
	done   chan struct{} // closed when the pool has stopped
}

func newWorker(lc fx.Lifecycle, s fx.Shutdowner, opts options, client *kontinue.Client, store *store, log *slog.Logger) *worker {
	w := &worker{opts: opts, client: client, store: store, log: log, shutdown: s, done: make(chan struct{})}
	lc.Append(fx.StartStopHook(w.start, w.stop))
	return w
}

// start fills the queue with new Executions and with those that an earlier process
// has not finished, and starts the pool.
func (w *worker) start(ctx context.Context) error {
	for i := range w.opts.executions {
		if err := w.store.add(ctx, i == 1); err != nil {
			return err
		}
	}
	work, err := w.store.unfinished(ctx)
	if err != nil {
		return err
	}
	queue := make(chan *execution, len(work))
	for _, e := range work {
		queue <- e
	}
	close(queue)
	w.log.Info("queue filled", "executions", len(work), "workers", w.opts.workers)

	// The context of the hook is canceled after the start. The functions need one that
	// lasts until the stop.
	ctx, w.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	for range w.opts.workers {
		w.pool.Go(func() {
			for e := range queue {
				w.handle(ctx, e)
			}
		})
	}
	go func() {
		defer close(w.done)
		w.pool.Wait()
		if ctx.Err() != nil {
			return
		}
		w.log.Info("queue is empty", "keep", w.opts.keep)
		if !w.opts.keep {
			_ = w.shutdown.Shutdown() // an error says that it is under way already
		}
	}()
	return nil
}

// stop cancels the waits of the functions and waits for the pool to stop.
func (w *worker) stop(ctx context.Context) error {
	w.cancel(errShutdown)
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("functions are still running: %w", context.Cause(ctx))
	}
}

// handle runs one Execution until it has ended or the app stops. The next start
// resumes one that has not ended.
func (w *worker) handle(ctx context.Context, e *execution) {
	log := w.log.With("execution", e.name())
	if ctx.Err() != nil {
		log.Info("execution stays in the queue for the next start")
		return
	}
	switch e.state {
	case running:
		e.resumptions++ // an earlier worker was interrupted
		log.Info("execution resumed", "attempt", e.attempts, "resumptions", e.resumptions)
	case queued:
		log.Info("execution started")
	}
	err := w.run(ctx, e, log)
	if err == nil {
		err = w.finish(ctx, e)
	}
	switch {
	case err == nil:
		log.Info("execution ended", "state", e.state, "attempts", e.attempts)
	case ctx.Err() != nil:
		log.Warn("execution interrupted: its Jobs are still running, a restart resumes it", "attempt", e.attempts)
	default:
		log.Error("execution stopped by an error: a restart resumes it", "error", err)
	}
}

// run runs the function until it succeeds or maxAttempts is reached. It returns an
// error if the Execution has not ended.
func (w *worker) run(ctx context.Context, e *execution, log *slog.Logger) error {
	for !e.state.ended() {
		e.state = running
		if err := w.store.save(ctx, e); err != nil {
			return err
		}
		ktx, err := w.client.NewExecutionContext(ctx, e.kontinue(w.opts.ttl))
		if err != nil {
			return err
		}
		err = release(ktx, w.opts, e.flaky) //nolint:contextcheck // ktx carries the context
		var failure *kontinue.ExitError
		switch {
		case err == nil:
			e.state = succeeded
		case !errors.As(err, &failure):
			return err // the outcome of a step is still unknown
		case e.attempts+1 < maxAttempts:
			log.Warn("execution is retried: succeeded steps do not run again", "error", err)
			e.attempts++
			e.resumptions = 0
		default:
			log.Error("execution failed", "error", err)
			e.state = failed
		}
	}
	return w.store.save(ctx, e)
}

// finish sets the TTL of the Jobs of an Execution. The end of the Execution must have
// been saved before: if a Job expired earlier, its step would run again after a
// crash.
func (w *worker) finish(ctx context.Context, e *execution) error {
	if err := w.client.Finish(ctx, e.kontinue(w.opts.ttl)); err != nil {
		return err
	}
	e.finished = true
	return w.store.save(ctx, e)
}
