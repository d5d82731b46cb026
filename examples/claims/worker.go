package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
)

// maxAttempts is the maximum number of attempts of an Execution.
const maxAttempts = 3

// worker is a process that claims Executions and runs their functions.
type worker struct {
	client   *kontinue.Client
	store    store
	lease    *lease
	capacity int // functions at a time
	log      *slog.Logger

	functions sync.WaitGroup
	mu        sync.Mutex
	running   map[types.UID]bool // the Executions whose functions this process runs
}

// settings are the same in all processes.
type settings struct {
	namespace string
	duration  time.Duration // of a Lease; it is renewed five times within it
	capacity  int
	drain     bool // end when no Execution is open
}

// work claims and runs Executions until ctx ends, or until others have given this process up,
// which is an error. It returns when all functions have. Their Jobs keep running.
func work(ctx context.Context, client *kontinue.Client, clientset kubernetes.Interface, s settings, log *slog.Logger) error {
	l, err := acquire(ctx, clientset.CoordinationV1().Leases(s.namespace), s.duration)
	if err != nil {
		return err
	}
	w := &worker{
		client: client, store: store{clientset.CoreV1().ConfigMaps(s.namespace)},
		lease: l, capacity: s.capacity, log: log.With("worker", l.name()), running: map[types.UID]bool{},
	}
	runs, stop := context.WithCancel(ctx)
	defer w.leave(ctx)
	defer w.functions.Wait()
	defer stop()
	ticker := time.NewTicker(s.duration / 5)
	defer ticker.Stop()
	for {
		open, err := w.turn(runs)
		switch {
		case ctx.Err() != nil, err == nil && open == 0 && s.drain:
			return nil
		case apierrors.IsNotFound(err):
			return fmt.Errorf("others have given this process up: %w", err)
		case err != nil:
			w.log.Warn("the next turn tries again", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// turn renews the Lease, and claims and runs what no process runs. It returns how many
// Executions are open. They are read before the Leases, since a process has a Lease before it
// claims something.
func (w *worker) turn(ctx context.Context) (int, error) {
	if err := w.lease.renew(ctx); err != nil {
		return 0, err
	}
	open, err := w.store.open(ctx)
	if err != nil {
		return 0, err
	}
	alive, err := w.lease.alive(ctx)
	if err != nil {
		return 0, err
	}
	alive[w.lease.name()] = false // of its own Executions it knows which are running
	for _, e := range open {
		if alive[e.worker] || !w.begin(e) {
			continue
		}
		if err := w.claim(ctx, e); err != nil {
			w.end(e)
			w.log.Info("not claimed", "error", err) // a conflict: another process was faster
			continue
		}
		w.functions.Go(func() {
			defer w.end(e)
			w.handle(ctx, e)
		})
	}
	return len(open), nil
}

// handle runs the function of an Execution that this process has claimed.
func (w *worker) handle(ctx context.Context, e *execution) {
	log := w.log.With("execution", e.object.Name)
	log.Info("claimed", "attempts", e.attempts, "resumptions", e.resumptions)
	err := w.run(ctx, e)
	switch {
	case err == nil:
		log.Info("ended", "state", e.state, "attempts", e.attempts)
	case ctx.Err() != nil:
		log.Info("interrupted: its Jobs keep running, and another process resumes it")
	case apierrors.IsConflict(err):
		log.Warn("another process has claimed it", "error", err)
	default: // there is no outcome, as after an error of the API server
		log.Error("a later turn resumes it", "error", err)
	}
}

// run runs the function until it has succeeded, or failed maxAttempts times. Each attempt is
// saved before it begins, and the end before the Jobs get their TTL.
func (w *worker) run(ctx context.Context, e *execution) error {
	for e.state == "" {
		ktx, err := w.client.NewExecutionContext(ctx, e.kontinue())
		if err != nil {
			return err
		}
		var failure *kontinue.ExitError
		switch err := release(ktx); { //nolint:contextcheck // ktx carries the context
		case err == nil:
			e.state = "Succeeded"
		case !errors.As(err, &failure):
			return err
		case e.attempts+1 < maxAttempts:
			e.attempts, e.resumptions = e.attempts+1, 0
		default:
			e.state = "Failed"
		}
		if err := w.store.save(ctx, e); err != nil {
			return err
		}
	}
	if err := w.client.Finish(ctx, e.kontinue()); err != nil {
		return err
	}
	return w.store.end(ctx, e)
}

// begin reports whether this process may run the Execution, and notes it.
func (w *worker) begin(e *execution) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[e.object.UID] || len(w.running) == w.capacity {
		return false
	}
	w.running[e.object.UID] = true
	return true
}

func (w *worker) end(e *execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, e.object.UID)
}

// leave deletes the Lease, so that other processes do not wait until it has expired.
func (w *worker) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := w.lease.remove(ctx, *w.lease.object); err != nil {
		w.log.Warn("others wait until the Lease has expired", "error", err)
	}
}
