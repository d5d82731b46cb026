package kontinue

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/events"
	"github.com/kontinue/kontinue/internal/flight"
	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/watch"
)

// Client runs the steps of many Executions over one watch of Jobs and one of
// Pods, or over these two for each of its namespaces: see [Config]. Make it with [New],
// start it, hand it to worker functions through [Client.NewExecutionContext], and stop it
// at the end. All methods are safe for concurrent use.
type Client struct {
	cfg      Config
	engine   *step.Engine // nil unless made by New
	events   *events.Writer
	recorder *flight.Recorder // nil unless Config.Record is set
}

// New validates the configuration and returns a client that is not started.
// It sends no request. Bad input is an [ErrInvalid].
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	clock, notices := step.NewClock(), step.NewNotices(cfg.Logger)
	recorder := cfg.recorder()
	clientset, err := cfg.clientset(func(stamp time.Time) {
		recorder.Clock(stamp)
		clock.Observe(stamp)
	}, notices)
	if err != nil {
		return nil, err
	}
	reporter := events.NewWriter(clientset, cfg.Logger)
	clientset = recorder.Wrap(clientset)
	d, room := dispatch.New[step.Event](), step.NewRoom(cfg.MaxRunning)
	reader := logs.NewReader(clientset)
	reader.MaxStreams = cfg.MaxLogStreams
	explanations := events.NewReader(clientset, cfg.Logger)
	parts := step.Parts{
		Watcher:     watch.New(cfg.watch(clientset, d, room)),
		Dispatcher:  d,
		Jobs:        jobs.NewClient(clientset, cfg.jobs()),
		Logs:        reader,
		Events:      explanations,
		Clock:       clock,
		Room:        room,
		Observer:    cfg.Observer.internal(),
		Notices:     notices,
		PodTemplate: cfg.PodTemplate,
		StartLimits: starts.DefaultLimits().With(starts.Limits(cfg.StartLimits)),
		Group:       cfg.Group,
		Logger:      cfg.Logger,
	}
	if !cfg.SkipPreflight {
		parts.Preflight = cfg.preflight(clientset, explanations, reporter)
		if !cfg.SkipEvents {
			parts.Observer = withEvents(parts.Observer, reporter)
		}
	}
	if cfg.OnProgress != nil {
		parts.Report = func(r step.Report) { cfg.OnProgress(newProgress(r)) }
	}
	if recorder != nil {
		parts.Recorder = recording{recorder}
	}
	c := &Client{cfg: cfg, engine: step.New(parts), events: reporter, recorder: recorder}
	if player, ok := clientset.(flight.Player); ok {
		player.Attach(c.engine)
	}
	return c, nil
}

// Start asks for the rights that the client needs, opens the watches and returns when the
// caches are filled. An error names the reason (an API server that cannot be reached,
// credentials that are refused, or all rights that are missing: [ErrMissingRights]), comes
// when nothing has come for Config.StartTimeout or when ctx ends, and leaves nothing
// running; Start may then be called again. ctx bounds the start, not the client's life.
// Start is idempotent; after Stop it fails with [ErrNotRunning].
func (c *Client) Start(ctx context.Context) error {
	if err := c.checkCall(ctx); err != nil {
		return invalid("Start", err)
	}
	c.recorder.Start()
	err := c.engine.Start(ctx)
	if c.recorder.Started(err); err != nil {
		return fmt.Errorf("kontinue: start: %w", err)
	}
	return nil
}

// Stop ends every call with [ErrNotRunning] and closes the watches. The Jobs keep
// running: a step that is run again, by this or another process, finds its own. Stop
// returns when all calls have returned and all goroutines of the client have
// ended, or with an error when ctx or Config.StopTimeout ends first. If ctx is already
// done (for example, canceled by SIGTERM), only StopTimeout applies. Stop waits for at
// most a second until the Events about owners are written. It is idempotent. Do not call
// it from Config.OnProgress: it would wait for the step that calls it.
func (c *Client) Stop(ctx context.Context) error {
	if err := c.checkCall(ctx); err != nil {
		return invalid("Stop", err)
	}
	if err := c.stop(ctx); err != nil {
		return fmt.Errorf("kontinue: stop: %w", err)
	}
	return nil
}

// Healthy returns nil while all watches are open and each has received an event or
// bookmark within the last two minutes. Otherwise the error says which watch is
// failing and why. Waits survive that: the client opens its watches again. It suits a
// readiness probe.
func (c *Client) Healthy() error {
	if err := c.checkCall(context.Background()); err != nil {
		return invalid("Healthy", err)
	}
	if err := c.engine.Healthy(); err != nil {
		return fmt.Errorf("kontinue: %w", err)
	}
	return nil
}

// NewExecutionContext prepares one run of an Execution's function. The end of ctx ends
// the waits of its steps, and their Jobs only with StepOptions.OnContextDone. It sends no
// request; an Execution that cannot be an owner is an [ErrInvalid].
func (c *Client) NewExecutionContext(ctx context.Context, execution Execution) (*ExecutionContext, error) {
	if err := c.checkCall(ctx); err != nil {
		return nil, invalid("NewExecutionContext", err)
	}
	x, execution, err := execution.check(c.cfg)
	if err != nil {
		return nil, err
	}
	return &ExecutionContext{execution: execution, run: c.engine.NewRun(ctx, x)}, nil
}

// Finish declares that the Execution has ended: its Jobs get their TTL, and the
// cluster removes each when that time has passed since its end. A
// ttlSecondsAfterFinished of the Job's own spec, held back until now, takes precedence
// over Execution.TTL; a Job with neither stays until the owner is deleted. TTLs are
// rounded up to whole seconds.
//
// Save the end of the Execution, for example in its object, before you call Finish. Once
// the TTL has passed the results are gone: if a worker crashes after Finish and before
// the end is saved, a later resume runs the steps again. If it crashes between the two
// in the right order, the Jobs stay until Finish is called again.
//
// Finish costs one LIST and one PATCH for each Job, may be called again, and
// joins the errors of the Jobs that it could not patch. For a Job of another worker group,
// which it leaves as it is, that is an [ErrNameConflict]. Finish needs a client that is
// started: otherwise it returns an [ErrNotRunning].
func (c *Client) Finish(ctx context.Context, execution Execution) error {
	var ttl *int32
	if execution.TTL != nil {
		ttl = new(int32(min(math.Ceil(execution.TTL.Seconds()), math.MaxInt32)))
	}
	return c.forExecution(ctx, "Finish", execution, func(x step.Execution) error {
		return c.engine.Finish(ctx, x.Execution, ttl)
	})
}

// Cancel stops the Execution's Jobs that have not ended: the Job controller
// deletes their pods, starts no more and marks them Failed. Their waits, in any
// process, end with results whose Err is an [ErrCanceled]. The Jobs stay, so that a
// resumed function does not run them again. A Job that a queue suspends again has ended
// when no pod of it is left.
//
// It does not stop the function, which may create further Jobs: end its context
// first. Cancel waits for the creates that this client still has under way, for 75
// seconds at most, since the API server may carry one out that the function no longer
// waits for; a create of another process that comes later is not stopped. Where [Retry]
// is about to run a step again, it waits until that is done. Cancel may be called again,
// and returns errors as [Client.Finish] does.
func (c *Client) Cancel(ctx context.Context, execution Execution) error {
	return c.forExecution(ctx, "Cancel", execution, func(x step.Execution) error {
		return c.engine.Cancel(ctx, x.Execution)
	})
}

// forExecution checks the input of Finish, Cancel and Steps and prefixes their errors.
func (c *Client) forExecution(ctx context.Context, what string, execution Execution, do func(step.Execution) error) error {
	if err := c.checkCall(ctx); err != nil {
		return invalid(what, err)
	}
	x, _, err := execution.check(c.cfg)
	if err == nil {
		c.recorder.Call(what, x)
		err = do(x)
	}
	if err != nil {
		return fmt.Errorf("kontinue: %s: %w", what, err)
	}
	return nil
}

// checkCall refuses a nil context and a client that New did not make.
func (c *Client) checkCall(ctx context.Context) error {
	switch {
	case c == nil || c.engine == nil:
		return errNoClient
	case ctx == nil:
		return errNilContext
	default:
		return nil
	}
}
