package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/kontinue/kontinue/test/cluster/internal/sandbox"
)

// Options configures a cluster. The zero value describes a cluster with one node.
type Options struct {
	// Name identifies a cluster on the machine: at most 30 lower-case letters, digits
	// and dashes. Default: a random name.
	Name string
	// ControlPlaneOnly omits the node and the scheduler: pods stay Pending, and a load
	// test simulates the kubelet by writing their status. The Job controller is real.
	ControlPlaneOnly bool
	// StateDir has a directory for the files of each cluster. Default:
	// kontinue-cluster below [os.TempDir].
	StateDir string
	// LogDir is the directory for the log files of the components, which append to
	// them. Default: a directory that Stop removes, see [Cluster.LogDir].
	LogDir string
	// Logger receives the progress of Start at level Debug. Default: none.
	Logger *slog.Logger
	// Audit makes the API server write an audit log (level Metadata, stage
	// ResponseComplete, JSON lines) of all requests to "audit.log" in LogDir.
	Audit bool
	// NodeMonitorGracePeriod is how long a node may be silent before it is considered
	// unhealthy. Default: 20 s (production clusters: 50 s).
	NodeMonitorGracePeriod time.Duration
	// EvictionDelay is how long pods stay bound to a node that is unreachable or not
	// ready, which is the toleration that the API server adds to every pod. In whole
	// seconds. Default: 5 s (production clusters: 300 s).
	EvictionDelay time.Duration
	// ExtraArgs are appended to a component's command line. A later flag wins.
	ExtraArgs map[Component][]string
	// KubeletConfig may change the kubelet's configuration before it is
	// written (fields of KubeletConfiguration, kubelet.config.k8s.io/v1beta1).
	KubeletConfig func(config map[string]any)
}

const (
	defaultGracePeriod   = 20 * time.Second
	defaultEvictionDelay = 5 * time.Second
	stateDirName         = "kontinue-cluster"
)

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$`)

// complete returns the options with defaults.
func (o Options) complete() (Options, error) {
	if o.Name == "" {
		o.Name = "test-" + randomHex(4)
	}
	if !validName.MatchString(o.Name) {
		return o, fmt.Errorf("cluster name %q: use at most 30 lower-case letters, digits and dashes", o.Name)
	}
	if o.StateDir == "" {
		o.StateDir = DefaultStateDir()
	}
	var err error
	if o.StateDir, err = filepath.Abs(o.StateDir); err != nil {
		return o, err
	}
	if err := sandbox.CheckDir(o.StateDir); err != nil {
		return o, fmt.Errorf("state directory: %w", err)
	}
	if o.LogDir != "" {
		if o.LogDir, err = filepath.Abs(o.LogDir); err != nil {
			return o, err
		}
		if err := sandbox.CheckDir(o.LogDir); err != nil {
			return o, fmt.Errorf("log directory: %w", err)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.NodeMonitorGracePeriod == 0 {
		o.NodeMonitorGracePeriod = defaultGracePeriod
	}
	if o.EvictionDelay == 0 {
		o.EvictionDelay = defaultEvictionDelay
	}
	if o.NodeMonitorGracePeriod < 2*time.Second || o.EvictionDelay < 0 {
		return o, errors.New("NodeMonitorGracePeriod must be at least 2 s, EvictionDelay not negative")
	}
	return o, nil
}

// DefaultStateDir returns the default of Options.StateDir.
func DefaultStateDir() string { return filepath.Join(os.TempDir(), stateDirName) }
