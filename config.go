package kontinue

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/kubeclient"
	"github.com/kontinue/kontinue/internal/podtemplate"
	"github.com/kontinue/kontinue/internal/starts"
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

// Config says how a [Client] reaches its cluster. One of RESTConfig and Clientset is
// required, and one of Namespace, Namespaces and AllNamespaces; the zero value of every
// other field is its default.
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
	// Namespaces are several, instead of Namespace. Two cluster-wide watches serve all of
	// them. They also bring the Jobs and Pods of the group in other namespaces, which are
	// dropped on arrival: that costs the time to decode them and no memory. If they are
	// forbidden at Start, the client opens two watches for each namespace.
	Namespaces []string
	// AllNamespaces serves every namespace, also those that are created later, by two
	// cluster-wide watches, for which the client needs a ClusterRole.
	AllNamespaces bool
	// Group is the worker group: the client sees the Jobs and Pods of its own
	// group and of no other. Default: "default".
	Group string
	// Logger receives the client's log lines and those of client-go, down to
	// slog.LevelDebug: below it client-go logs the bodies of requests, with all
	// that is in env and args. Default: they are discarded.
	Logger *slog.Logger
	// OnProgress is called with each change of a step's state, as the watch brings
	// it and without a request. It is called from goroutines of the client: calls for one
	// step come one after the other and before its end, and a slow function delays that
	// step alone. A panic of it is logged. Default: nil.
	OnProgress func(Progress)
	// Observer, if set, is called with what the steps and requests of the client do.
	// Default: nil.
	Observer *Observer
	// StartTimeout bounds how long Start waits while nothing comes from the API server.
	// A start that gets further takes as long as it needs: it reads the Pods of all Jobs
	// of the group that still exist, in pages of 500. Default: 30 s.
	StartTimeout time.Duration
	// SkipPreflight leaves out the questions that Start asks before it opens the watches: one
	// SelfSubjectAccessReview for each right, in parallel, which every user may send. Without
	// them a right that is missing is an error of the first step that uses it, for list and
	// watch of Start. Default: false.
	SkipPreflight bool
	// SkipEvents leaves out the Events that the client writes about the owner of an Execution:
	// that a step has a new Job (StepStarted), has failed (StepFailed), was given up
	// (StepGivenUp) or canceled (StepCanceled), or that a Job was adopted that another spec
	// has made (StepDrifted). They have nothing of env, args and logs. Of StepStarted and
	// StepCanceled a client writes 5 a second and of the others 10, after up to 50 and 200 at
	// once; those beyond that are dropped. They are written if Start finds that the client may
	// create Events, which deploy/rbac-optional.yaml grants. Without Start's question
	// (SkipPreflight) there are none. Default: false.
	SkipEvents bool
	// StopTimeout bounds Stop, but for a second in which what is left of a Record is written.
	// Default: 10 s.
	StopTimeout time.Duration
	// StartLimits bound how long each step may take until its containers have started.
	// Default: those of [StartLimits].
	StartLimits StartLimits
	// PodTemplate is the base of the pod of every step, such as node selectors, tolerations,
	// pull secrets, security contexts and labels. The step's own is applied over it as a
	// strategic merge patch, so what the step sets takes precedence. A container in it that
	// is named "default" is the base of each container and init container of the step; its
	// image is ignored. It can add no other containers, and set no restart policy and no
	// command. It is no part of what a step submits: a Job that was created under another
	// template is adopted as it is. [RestrictedPodTemplate] returns one. Default: nil.
	PodTemplate *corev1.PodTemplateSpec
	// MaxInFlight is how many requests for Jobs and Secrets the client has open at the
	// API server at a time; additional ones queue in the process. An eighth of them, at
	// least one of two or more, is not available to creates, so that results, Cancel
	// and Finish do not wait behind new Jobs. At most four lists of pods, 16 reads of
	// logs and two requests for Events come on top. Default: 64, which stays below the
	// 100 streams that an API server allows on a connection.
	MaxInFlight int
	// MaxRunning is how many Jobs of the group run at a time in the namespaces of this
	// client: a step that would create a further one waits, and steps are admitted first
	// come first served. Counted are the Jobs that exist, have not ended and are not
	// suspended, whoever created them, and the creates of this client that are under way:
	// several clients of a group may exceed the number by the creates that they have under
	// way. A step whose Job exists does not wait, and neither does one that creates its Job
	// suspended. The wait ends with the context of the ExecutionContext. Default: 0, no
	// bound.
	MaxRunning int
	// MaxLogStreams is how many logs the client follows at a time for StepOptions.Logs.
	// The log of a further container is read from its first line when one of them has
	// ended. An eighth, at least one of two or more, is only for containers that have
	// ended, so that a result does not wait for the logs of others. They do not count for
	// MaxInFlight. Default: 50.
	MaxLogStreams int
	// Record, if set, gets a recording of what the client does and of what the API server
	// answers, for a bug report or a test: see docs/replay.md. Values of env, args, commands,
	// annotations, labels and Secrets and the contents of logs are removed from it. It is
	// written as JSON lines, one Write each, from a goroutine of the client. No step waits for
	// that: lines that cannot be written or come too fast are left out, which is logged once
	// and noted in the recording. Stop waits until all is written, within StopTimeout and for a
	// second at least. Default: nil.
	Record io.Writer
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
	if err := c.checkNamespaces(); err != nil {
		errs = append(errs, err)
	}
	c.Namespaces = slices.Clone(c.Namespaces)
	if err := identity.ValidateGroup(c.Group); err != nil {
		errs = append(errs, fmt.Errorf("Group: %w", err))
	}
	if c.StartTimeout < 0 || c.StopTimeout < 0 || c.MaxInFlight < 0 || c.MaxRunning < 0 || c.MaxLogStreams < 0 {
		errs = append(errs, errors.New("StartTimeout, StopTimeout, MaxInFlight, MaxRunning and MaxLogStreams must not be negative"))
	}
	if err := starts.Limits(c.StartLimits).Validate(); err != nil {
		errs = append(errs, err)
	}
	c.PodTemplate = c.PodTemplate.DeepCopy()
	if err := podtemplate.Validate(c.PodTemplate); err != nil {
		errs = append(errs, fmt.Errorf("PodTemplate: %w", err))
	}
	if len(errs) > 0 {
		return c, invalid("Config", errors.Join(errs...))
	}
	return c, nil
}

// clientset returns the configured clientset, or one made from RESTConfig.
func (c Config) clientset(observe func(time.Time), notices *step.Notices) (kubernetes.Interface, error) {
	if c.Clientset != nil {
		return c.Clientset, nil
	}
	clientset, err := kubeclient.New(c.RESTConfig, kubeclient.Options{Logger: c.Logger, Component: "kontinue/" + c.Group, Clock: observe, Observe: c.Observer.requests(notices)})
	if err != nil {
		return nil, invalid("Config.RESTConfig", err)
	}
	return clientset, nil
}

func (c Config) watch(clientset kubernetes.Interface, d *dispatch.Dispatcher[step.Event], room *step.Room) watch.Config {
	w := step.WatchConfig(clientset, c.Namespace, c.Group, d, room, c.Logger)
	w.Namespaces = c.Namespaces
	w.StartTimeout = c.StartTimeout
	return w
}

func (c Config) jobs() jobs.Options {
	return jobs.Options{Logger: c.Logger, MaxInFlight: c.MaxInFlight}
}
