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

// Options configures a cluster. The zero value is a cluster with one node.
type Options struct {
	// Name tells clusters on one machine apart: lower-case letters, digits and
	// dashes, at most 30. Default: a random one.
	Name string
	// ControlPlaneOnly leaves out the node and the scheduler: pods stay
	// Pending, and a load test plays the kubelet by writing their status. The
	// Job controller is the real one.
	ControlPlaneOnly bool
	// StateDir is where clusters keep their files, one directory each.
	// Default: kontinue-cluster below [os.TempDir].
	StateDir string
	// LogDir keeps one log file a component, appended to, after Stop. Default:
	// a directory that Stop removes, see [Cluster.LogDir].
	LogDir string
	// Logger gets the progress of Start at level Debug. Default: none.
	Logger *slog.Logger
	// Audit has the API server write an audit log (level Metadata, stage
	// ResponseComplete, JSON lines) of all requests to "audit.log" in LogDir.
	Audit bool
	// NodeMonitorGracePeriod is how long a node may be silent before its pods
	// count as lost. Default 20 s (real clusters: 50 s).
	NodeMonitorGracePeriod time.Duration
	// EvictionDelay is how long pods stay bound to a node that is lost or not
	// ready: the toleration the API server gives every pod. Default 5 s (real
	// clusters: 300 s). In whole seconds.
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

// complete returns the options with defaults filled in.
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

// DefaultStateDir is the state directory of clusters that name no other.
func DefaultStateDir() string { return filepath.Join(os.TempDir(), stateDirName) }
