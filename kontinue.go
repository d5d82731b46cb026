package kontinue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/watch"
)

// Client runs the steps of many Executions over one watch of Jobs and one of
// Pods. Make it with [New], start it, give it to worker functions by way of
// [Client.NewExecutionContext], and stop it at the end. All methods are safe
// for concurrent use.
type Client struct {
	cfg        Config
	watcher    *watch.Watcher
	dispatcher *dispatch.Dispatcher[event]
	jobs       *jobs.Client
	logs       *logs.Reader
	log        *slog.Logger

	life context.Context // ends with Stop
	end  context.CancelCauseFunc

	mu    sync.Mutex
	state clientState
	calls sync.WaitGroup // of steps, Finish, Cancel and Logs that are under way
}

type clientState int

const (
	created clientState = iota
	started
	stopped
)

// New validates the configuration and returns a client that is not started.
// It sends no request. Bad input is an [ErrInvalid].
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	clientset, err := cfg.clientset()
	if err != nil {
		return nil, err
	}
	dispatcher := dispatch.New[event]()
	return newClient(cfg,
		watch.New(watchConfig(cfg, clientset, dispatcher)),
		dispatcher,
		jobs.NewClient(clientset, jobsOptions(cfg)),
		logs.NewReader(clientset),
	), nil
}

func newClient(cfg Config, w *watch.Watcher, d *dispatch.Dispatcher[event], j *jobs.Client, l *logs.Reader) *Client {
	c := &Client{cfg: cfg, watcher: w, dispatcher: d, jobs: j, logs: l, log: cfg.Logger}
	c.life, c.end = context.WithCancelCause(context.Background())
	return c
}

// Start opens the two watches and returns when the caches are filled. An error
// names the reason (an API server that cannot be reached, a missing verb and
// its resource, credentials that are refused), comes within
// Config.StartTimeout or when ctx ends, and leaves nothing running; Start may
// then be called again. ctx bounds the start, not the client's life. Start is
// idempotent; after Stop it fails with [ErrNotRunning].
func (c *Client) Start(ctx context.Context) error {
	if ctx == nil {
		return invalid("Start", errNilContext)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.StartTimeout,
		fmt.Errorf("no success within StartTimeout (%s): %w", c.cfg.StartTimeout, context.DeadlineExceeded))
	defer cancel()
	if err := c.watcher.Start(ctx); err != nil {
		if errors.Is(err, watch.ErrStopped) {
			return fmt.Errorf("kontinue: start: %w: it was stopped", ErrNotRunning)
		}
		return fmt.Errorf("kontinue: start: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stopped {
		return fmt.Errorf("kontinue: start: %w: it was stopped", ErrNotRunning)
	}
	c.state = started
	return nil
}

// Stop ends every call with [ErrNotRunning] and closes the watches. The Jobs go
// on: a step that is run again, by this or another process, finds its own. Stop
// returns when all calls have returned and all goroutines of the client have
// ended, or with an error when ctx or Config.StopTimeout ends first; a context
// that has ended already, as by the signal that led here, leaves StopTimeout
// alone to count. It is idempotent. Called from Config.OnProgress it would wait
// for the step that it is called by.
func (c *Client) Stop(ctx context.Context) error {
	if ctx == nil {
		return invalid("Stop", errNilContext)
	}
	c.mu.Lock()
	c.state = stopped
	c.mu.Unlock()
	cause := fmt.Errorf("%w: it was stopped", ErrNotRunning)
	c.end(cause)
	c.dispatcher.Close(cause)
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.StopTimeout)
	defer cancel()
	if err := c.watcher.Stop(ctx); err != nil {
		return fmt.Errorf("kontinue: stop: %w", err)
	}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		c.calls.Wait()
	}()
	select {
	case <-returned:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("kontinue: stop: steps have not returned yet: %w", context.Cause(ctx))
	}
}

// admit lets a call in, which Stop then waits for: it ends with c.calls.Done.
func (c *Client) admit() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.stateError(); err != nil {
		return err
	}
	c.calls.Add(1)
	return nil
}

// asking returns the context of the requests of a call, which ends with ctx and
// with the client, and with end.
func (c *Client) asking(ctx context.Context) (_ context.Context, end func()) {
	// client-go's own default is to print what it has to say.
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(c.log.Handler()))
	ctx, cancel := context.WithCancelCause(ctx)
	over := func() { cancel(context.Cause(c.life)) }
	release := context.AfterFunc(c.life, over)
	if c.life.Err() != nil {
		over() // at once: nothing more is sent
	}
	return ctx, func() {
		release()
		cancel(nil)
	}
}

// begin admits a call that is nothing but requests. It ends with end.
func (c *Client) begin(ctx context.Context) (_ context.Context, end func(), _ error) {
	if err := c.admit(); err != nil {
		return nil, nil, err
	}
	ctx, done := c.asking(ctx)
	return ctx, func() {
		done()
		c.calls.Done()
	}, nil
}

// Healthy returns nil while both watches are open and heard of (an API server
// sends a bookmark about once a minute; two minutes of silence are told), and
// otherwise why they are not. Waits survive that: the client re-opens its watches
// by itself. It suits a readiness probe.
func (c *Client) Healthy() error {
	if err := c.running(); err != nil {
		return err
	}
	if err := c.watcher.Healthy(); err != nil {
		return fmt.Errorf("kontinue: %w", err)
	}
	return nil
}

func (c *Client) running() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stateError()
}

// stateError is nil while the client runs. The caller holds the lock.
func (c *Client) stateError() error {
	switch c.state {
	case started:
		return nil
	case stopped:
		return fmt.Errorf("%w: it was stopped", ErrNotRunning)
	default:
		return fmt.Errorf("%w: call Start first", ErrNotRunning)
	}
}
