package kontinuetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
)

// Namespace is the default namespace of the Executions of a [Cluster]. See
// [InNamespace].
const Namespace = "default"

// Cluster is an in-memory Kubernetes cluster that stops when its test ends. Its
// methods fail the test with FailNow instead of returning errors, so they must be
// called from the goroutine that runs the test.
type Cluster struct {
	t         testing.TB
	cluster   *fakecluster.Cluster
	namespace string
	client    *kontinue.Client
}

// Option configures a [Cluster] in [New].
type Option func(*settings)

type settings struct {
	cluster   fakecluster.Options
	namespace string
}

// LocalProcesses runs the command of each container as a process on this machine,
// in a temporary directory. Its environment consists of PATH, HOME and the
// variables of the container. Images are ignored, volumes are not mounted, every
// container needs a command, and [Cluster.Play] must not be used. It does not work
// in a testing/synctest bubble.
func LocalProcesses() Option {
	return func(s *settings) { s.cluster.LocalProcesses = true }
}

// InNamespace sets the namespace of the Executions. Default: [Namespace].
func InNamespace(name string) Option {
	return func(s *settings) { s.namespace = name }
}

// QuickRetries shortens the back-off of the Job controller (10 s, doubled for each
// failed pod) and of the kubelet to milliseconds, for tests in real time.
func QuickRetries() Option {
	return func(s *settings) {
		s.cluster.Controller.PodBackoff = -1
		s.cluster.Controller.RetryBase = 10 * time.Millisecond
		s.cluster.Kubelet.BackoffScale = 1e-4
	}
}

// New starts a cluster and stops it when the test ends. In a testing/synctest
// bubble, call it with the T of the bubble.
func New(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	s := settings{namespace: Namespace}
	for _, opt := range opts {
		opt(&s)
	}
	c := &Cluster{t: t, cluster: fakecluster.New(s.cluster), namespace: s.namespace}
	require.NoError(t, c.cluster.Start(t.Context()), "starting the cluster in memory")
	t.Cleanup(c.cluster.Stop)
	return c
}

// Clientset returns a client of the cluster for the test itself, to read and change
// objects. Faults such as [Cluster.FailRequests] do not apply to it.
func (c *Cluster) Clientset() kubernetes.Interface {
	return c.cluster.APIServer().ClientsetAs("test")
}

// Config returns the configuration for a client of the cluster, for a program that
// calls [kontinue.New] itself.
func (c *Cluster) Config() kontinue.Config {
	return kontinue.Config{Clientset: c.cluster.Clientset(), Namespace: c.namespace}
}

// Client returns a started client that is stopped when the test ends. Each call
// returns the same one.
func (c *Cluster) Client() *kontinue.Client {
	c.t.Helper()
	if c.client != nil {
		return c.client
	}
	client, err := kontinue.New(c.Config())
	require.NoError(c.t, err)
	require.NoError(c.t, client.Start(c.t.Context()), "starting the client")
	c.t.Cleanup(func() {
		require.NoError(c.t, client.Stop(context.WithoutCancel(c.t.Context())), "stopping the client")
	})
	c.client = client
	return client
}

// NewExecution creates a ConfigMap with the given name to own Jobs, and returns an
// Execution on its first attempt that refers to it. The caller may change Attempts,
// ChildPolicy and other fields before it uses the Execution.
func (c *Cluster) NewExecution(name string) kontinue.Execution {
	c.t.Helper()
	owner, err := c.cluster.CreateOwner(c.t.Context(), c.namespace, name)
	require.NoError(c.t, err, "creating the Execution's object")
	return kontinue.Execution{Namespace: c.namespace, Owner: owner}
}

// DeleteExecution deletes the ConfigMap that NewExecution created. The garbage
// collector then deletes its Jobs.
func (c *Cluster) DeleteExecution(name string) {
	c.t.Helper()
	err := c.Clientset().CoreV1().ConfigMaps(c.namespace).Delete(c.t.Context(), name, metav1.DeleteOptions{})
	require.NoError(c.t, err, "deleting the Execution's object")
}

// Run returns the argument of a worker function: the context of one run of the
// Execution, on the client of [Cluster.Client]. It is canceled when the test ends.
func (c *Cluster) Run(execution kontinue.Execution) *kontinue.ExecutionContext {
	c.t.Helper()
	ktx, err := c.Client().NewExecutionContext(c.t.Context(), execution)
	require.NoError(c.t, err)
	return ktx
}
