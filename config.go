package kontinue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// Defaults of [Config].
const (
	defaultGroup        = "default"
	defaultStartTimeout = 30 * time.Second
	defaultStopTimeout  = 10 * time.Second
)

// Config says how a [Client] reaches its cluster. Namespace and one of
// RESTConfig and Clientset are required; the zero value of every other field
// is its default.
type Config struct {
	// RESTConfig reaches the API server. The client works on a copy. Its
	// client-side rate limit is off unless QPS or RateLimiter is set: client-go's
	// own default of 5 requests a second would hold back users who run more than
	// a handful of steps, and API servers protect themselves (API Priority and
	// Fairness). A Timeout is ignored, since it would also cut the watches. Objects
	// travel as protobuf unless ContentType or AcceptContentTypes is set, and
	// uncompressed: over a thin line, pass a Clientset, which keeps its own settings.
	RESTConfig *rest.Config
	// Clientset is used instead of RESTConfig, as it is: a fake one in tests, or one
	// with settings of its own.
	Clientset kubernetes.Interface
	// Namespace is where the Executions of this client live and their Jobs run.
	Namespace string
	// Group is the worker group: the client sees the Jobs and Pods of its own
	// group and of no other. Default: "default".
	Group string
	// Logger receives the client's log lines and those of client-go, down to
	// slog.LevelDebug: below it client-go logs the bodies of requests, with all
	// that is in env and args. Default: they are discarded.
	Logger *slog.Logger
	// OnProgress is told of each change of a step's state, as the watch brings
	// it and at the cost of no request. It is called from the goroutine that
	// runs the step: calls for one step come one after the other, and a slow
	// function delays that step alone. Default: nil.
	OnProgress func(Progress)
	// StartTimeout bounds Start. Default: 30 s.
	StartTimeout time.Duration
	// StopTimeout bounds Stop. Default: 10 s.
	StopTimeout time.Duration
	// MaxInFlight is how many requests the client's steps have open at the API
	// server at a time; further ones queue up in the process. Default: 64, which
	// stays below the 100 streams that an API server allows on a connection.
	MaxInFlight int
}

// withDefaults returns a copy with every default filled in, or what is wrong.
func (c Config) withDefaults() (Config, error) {
	if c.Group == "" {
		c.Group = defaultGroup
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = slog.New(debugAtMost{c.Logger.Handler()})
	if c.StartTimeout == 0 {
		c.StartTimeout = defaultStartTimeout
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = defaultStopTimeout
	}
	var errs []error
	if (c.RESTConfig == nil) == (c.Clientset == nil) {
		errs = append(errs, errors.New("set exactly one of RESTConfig and Clientset"))
	}
	if c.Namespace == "" {
		errs = append(errs, errors.New("Namespace is empty: name the namespace of the Executions"))
	} else if msgs := validation.IsDNS1123Label(c.Namespace); len(msgs) > 0 {
		errs = append(errs, fmt.Errorf("Namespace %q: %s", c.Namespace, msgs[0]))
	}
	if err := identity.ValidateGroup(c.Group); err != nil {
		errs = append(errs, fmt.Errorf("Group: %w", err))
	}
	if c.StartTimeout < 0 || c.StopTimeout < 0 || c.MaxInFlight < 0 {
		errs = append(errs, errors.New("StartTimeout, StopTimeout and MaxInFlight must not be negative"))
	}
	if len(errs) > 0 {
		return c, invalid("Config", errors.Join(errs...))
	}
	return c, nil
}

// clientset returns the configured clientset, or one made from RESTConfig.
func (c Config) clientset() (kubernetes.Interface, error) {
	if c.Clientset != nil {
		return c.Clientset, nil
	}
	rc := rest.CopyConfig(c.RESTConfig)
	rc.Timeout = 0
	if rc.QPS == 0 && rc.RateLimiter == nil {
		rc.QPS = -1
	} else if rc.QPS > 0 && rc.Burst == 0 {
		rc.Burst = int(rc.QPS) + 1
	}
	if rc.UserAgent == "" {
		rc.UserAgent = rest.DefaultKubernetesUserAgent() + " kontinue/" + c.Group
	}
	if rc.ContentType == "" && rc.AcceptContentTypes == "" {
		// Lists and events of thousands of pods cost a fraction of JSON's time to
		// decode. An API server or proxy that does not speak it answers in JSON.
		rc.ContentType, rc.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	}
	// An API server compresses long answers. Between a worker and the API server of its
	// cluster that costs more time than it saves; Kubernetes' own controllers do without
	// it too.
	rc.DisableCompression = true
	if rc.WarningHandler == nil && rc.WarningHandlerWithContext == nil {
		rc.WarningHandlerWithContext = warnings{c.Logger}
	}
	rc.Wrap(watch.CloseIdle(watch.DefaultIdleTimeout))
	cs, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return nil, invalid("Config.RESTConfig", err)
	}
	return cs, nil
}

// debugAtMost keeps what is more verbose than slog.LevelDebug from a handler that
// would take it.
type debugAtMost struct{ slog.Handler }

func (h debugAtMost) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug && h.Handler.Enabled(ctx, level)
}

func (h debugAtMost) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugAtMost{h.Handler.WithAttrs(attrs)}
}

func (h debugAtMost) WithGroup(name string) slog.Handler {
	return debugAtMost{h.Handler.WithGroup(name)}
}

// warnings passes the API server's warnings (KEP-1693) on to the logger;
// client-go's own handler would print them.
type warnings struct{ log *slog.Logger }

func (w warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	if code == 299 && text != "" {
		w.log.WarnContext(ctx, "warning of the API server", "text", text)
	}
}

func watchConfig(cfg Config, clientset kubernetes.Interface, d *dispatch.Dispatcher[event]) watch.Config {
	return watch.Config{
		Clientset: clientset,
		Namespace: cfg.Namespace,
		Selector:  identity.Selector(cfg.Group),
		Handler:   router{d},
		Finished:  finished,
		Logger:    cfg.Logger,
	}
}

func jobsOptions(cfg Config) jobs.Options {
	return jobs.Options{Logger: cfg.Logger, MaxInFlight: cfg.MaxInFlight}
}
