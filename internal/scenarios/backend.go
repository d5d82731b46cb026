package scenarios

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// Capability is a feature that some backends lack.
type Capability string

// The capabilities.
const (
	// Webhooks means that the API server can call an admission webhook of the test.
	Webhooks Capability = "webhooks"
	// Injection means that the API server can add a container to the pods of a namespace.
	Injection Capability = "injection"
	// SecurityContexts means that users and capabilities are applied.
	SecurityContexts Capability = "security contexts"
	// Images means that a container without a command runs the image's entry point.
	Images Capability = "images"
	// LongLogs means that more than 10 MiB of a container's log can be read.
	LongLogs Capability = "long logs"
	// Queues means that the API server serves the Workloads of Kueue, and that no Kueue is
	// running.
	Queues Capability = "queues"
	// SharedProcesses means that the containers of a pod can share a process namespace.
	SharedProcesses Capability = "shared process namespace"
	// NodeCapacity means that there is one node, the CPU of which the pods of a scenario can
	// have for themselves.
	NodeCapacity Capability = "capacity of a node"
	// NodeLoss means that the cluster can be the scenario's own, and that its node can be
	// killed and started again.
	NodeLoss Capability = "loss of a node"
)

// Image is a placeholder in scenarios for the image of the cluster, see
// [Cluster].Image.
const Image = "scenario.test/shell:1"

// MissingImage is an image that does not exist.
const MissingImage = "kontinue.test/missing:1"

// Backend provides the clusters that scenarios run on.
type Backend interface {
	// Name is a short name for files and tables.
	Name() string
	// Version is the version of Kubernetes, "v1.37.2".
	Version() string
	// Lacks returns why the backend lacks a capability, or "" if it has it.
	Lacks(Capability) string
	// Run calls play with a cluster that has the needs of the scenario, which is the
	// scenario's own if they include NodeLoss. If played is set, no container of the
	// scenario is a process, so virtual time may be used.
	Run(t *testing.T, needs []Capability, played bool, play func(t *testing.T, c Cluster))
}

// Cluster is a cluster for one scenario.
type Cluster interface {
	// Admin returns a client with all permissions.
	Admin() kubernetes.Interface
	// Image returns the name of an image with /bin/sh and the usual programs.
	Image() string
	// CreateNamespace creates a namespace and waits until pods can be created in it.
	// It is deleted when the test ends.
	CreateNamespace(ctx context.Context, t *testing.T, name string, labels map[string]string) error
	// Worker returns the configuration of a worker that has the permissions of
	// deploy/rbac.yaml in the namespace, except without if it is not nil.
	Worker(ctx context.Context, namespace string, without *Right) (kontinue.Config, error)
	// WorkerOf returns the configuration of a worker, without its namespaces, that has the
	// same permissions in several: by a Role in each, or everywhere by a ClusterRole. It lacks
	// one in the last of them if missing is not nil.
	WorkerOf(ctx context.Context, t *testing.T, namespaces []string, everywhere bool, missing *Right) (kontinue.Config, error)
	// Play sets the scripts of simulated containers, by container name. A cluster
	// with real containers ignores them.
	Play(namespace string, scripts map[string]containers.Script)
	// Intercept installs an admission webhook for the creation of Jobs in the
	// namespace, until the test ends.
	Intercept(ctx context.Context, t *testing.T, namespace string, answer func() Answer) error
	// Inject has admission put a container before those of each pod that is created in the
	// namespace, until the test ends: one with a restart policy before the init containers.
	Inject(ctx context.Context, t *testing.T, namespace string, c corev1.Container) error
	// KillNode ends the node and its containers at once, as a power failure does. The
	// control plane deletes the node's pods when it takes the node for dead.
	KillNode(ctx context.Context) error
	// RestartNode starts the node again and waits until it is ready, as after a reboot.
	RestartNode(ctx context.Context) error
}

// Answer is the response of an admission webhook. The zero value admits the object.
type Answer struct {
	// Deny, if not empty, is the message with which the webhook denies the request.
	Deny string
	// Broken makes the webhook fail with HTTP status 500.
	Broken bool
}

// WebhookName is the name of the webhook in error messages.
const WebhookName = "jobs.kontinue.test"
