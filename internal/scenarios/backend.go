package scenarios

import (
	"context"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// Capability is something that not every backend can do.
type Capability string

// The capabilities.
const (
	// Webhooks: an admission webhook of the test's own can be called.
	Webhooks Capability = "webhooks"
	// Volumes are mounted into containers.
	Volumes Capability = "volumes"
	// SecurityContexts take effect: users, capabilities.
	SecurityContexts Capability = "security contexts"
	// Images are real: a container without a command has an entry point.
	Images Capability = "images"
	// LongLogs: more than 10 MiB of a container's log can be read back.
	LongLogs Capability = "long logs"
	// SharedProcesses: containers of a pod can share one process namespace.
	SharedProcesses Capability = "shared process namespace"
)

// Image stands for the backend's image in a scenario: one with /bin/sh and the
// usual programs.
const Image = "scenario.test/shell:1"

// MissingImage cannot be pulled anywhere.
const MissingImage = "kontinue.test/missing:1"

// Backend gives clusters to run scenarios on.
type Backend interface {
	// Name is a short word for file names and tables.
	Name() string
	// Lacks returns why the backend cannot do something, or "" if it can.
	Lacks(Capability) string
	// Run calls play with a cluster. played says that no container of the
	// scenario is a process, so that virtual time will do.
	Run(t *testing.T, played bool, play func(t *testing.T, c Cluster))
}

// Cluster is a cluster for one scenario.
type Cluster interface {
	// Admin may do everything.
	Admin() kubernetes.Interface
	// Image has /bin/sh.
	Image() string
	// CreateNamespace makes a namespace in which pods can be created. It is
	// removed when the test has ended.
	CreateNamespace(ctx context.Context, t *testing.T, name string, labels map[string]string) error
	// Worker returns how to reach the cluster as a worker that has the rights of
	// deploy/rbac.yaml in the namespace, without one of them if that is not nil.
	Worker(ctx context.Context, namespace string, without *Right) (kontinue.Config, error)
	// Play says how containers go that are not run, by their names. A cluster
	// with real containers ignores it.
	Play(namespace string, scripts map[string]kubelet.Script)
	// Intercept has an admission webhook answer to the creation of Jobs in the
	// namespace, until the test has ended.
	Intercept(ctx context.Context, t *testing.T, namespace string, answer func() Answer) error
}

// Answer is an admission webhook's.
type Answer struct {
	// Deny refuses with that message, if it is not empty.
	Deny string
	// Broken makes the webhook itself fail with an HTTP error 500.
	Broken bool
}

// WebhookName is the name by which error messages call the webhook.
const WebhookName = "jobs.kontinue.test"
