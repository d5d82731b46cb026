package kontinue

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/kubeclient"
	"github.com/kontinue/kontinue/internal/step"
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
	// uncompressed. On a low-bandwidth link, supply a Clientset with compression enabled.
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
	// OnProgress is called with each change of a step's state, as the watch brings
	// it and without a request. It is called from the goroutine that
	// runs the step: calls for one step come one after the other, and a slow
	// function delays that step alone. Default: nil.
	OnProgress func(Progress)
	// StartTimeout bounds how long Start waits while nothing comes from the API server.
	// A start that gets further takes as long as it needs: it reads the Pods of all Jobs
	// of the group that still exist, in pages of 500. Default: 30 s.
	StartTimeout time.Duration
	// StopTimeout bounds Stop. Default: 10 s.
	StopTimeout time.Duration
	// MaxInFlight is how many requests the client's steps have open at the API
	// server at a time; additional ones queue in the process. An eighth of them, at
	// least one of two or more, is not available to creates, so that results, Cancel
	// and Finish do not wait behind new Jobs. Default: 64, which stays below the 100
	// streams that an API server allows on a connection.
	MaxInFlight int
}

// withDefaults returns a copy with every default filled in, or what is wrong.
func (c Config) withDefaults() (Config, error) {
	if c.Group == "" {
		c.Group = defaultGroup
	}
	c.Logger = kubeclient.QuietLogger(c.Logger)
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
	clientset, err := kubeclient.New(c.RESTConfig, kubeclient.Options{Logger: c.Logger, Component: "kontinue/" + c.Group})
	if err != nil {
		return nil, invalid("Config.RESTConfig", err)
	}
	return clientset, nil
}

func (c Config) watch(clientset kubernetes.Interface, d *dispatch.Dispatcher[step.Event]) watch.Config {
	w := step.WatchConfig(clientset, c.Namespace, c.Group, d, c.Logger)
	w.StartTimeout = c.StartTimeout
	return w
}

func (c Config) jobs() jobs.Options {
	return jobs.Options{Logger: c.Logger, MaxInFlight: c.MaxInFlight}
}
