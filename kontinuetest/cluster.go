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

// Namespace is where the Executions of a [Cluster] live unless
// [InNamespace] says otherwise.
const Namespace = "default"

// Cluster is a Kubernetes cluster in memory that ends with its test. Its methods
// fail the test instead of returning errors; call them from the test's own
// goroutine.
type Cluster struct {
	t         testing.TB
	cluster   *fakecluster.Cluster
	namespace string
	client    *kontinue.Client
}

// Option changes a [Cluster].
type Option func(*settings)

type settings struct {
	cluster   fakecluster.Options
	namespace string
}

// LocalProcesses makes each container's command run as a process of this
// machine, in a temporary directory, with PATH and HOME as its only environment
// besides its own. Image names mean nothing then, volumes are not mounted, a
// container needs a command, and plays are not for such a cluster. It does not
// work in a testing/synctest bubble.
func LocalProcesses() Option {
	return func(s *settings) { s.cluster.LocalProcesses = true }
}

// InNamespace makes the Executions live in that namespace. Default: [Namespace].
func InNamespace(name string) Option {
	return func(s *settings) { s.namespace = name }
}

// QuickRetries takes away the delays with which a cluster spaces out the retries
// of failing Jobs (10 s, doubled each time), for tests in real time.
func QuickRetries() Option {
	return func(s *settings) {
		s.cluster.Controller.PodBackoff = -1
		s.cluster.Controller.RetryBase = 10 * time.Millisecond
		s.cluster.Kubelet.BackoffScale = 1e-4
	}
}

// New starts a cluster that stops with the test. In a testing/synctest bubble
// call it with the bubble's T.
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

// Clientset returns a client of the cluster, to look at its objects and to
// change them.
func (c *Cluster) Clientset() kubernetes.Interface {
	return c.cluster.APIServer().ClientsetAs("test")
}

// Config returns a configuration with which the program under test can make its
// own client of the cluster.
func (c *Cluster) Config() kontinue.Config {
	return kontinue.Config{Clientset: c.cluster.Clientset(), Namespace: c.namespace}
}

// Client returns a started client that is stopped with the test. It is the same
// one each time.
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

// NewExecution creates an object to own Jobs, a ConfigMap of that name, and
// returns it as an Execution on its first attempt. Change Attempts, ChildPolicy
// and so on before the Execution is used.
func (c *Cluster) NewExecution(name string) kontinue.Execution {
	c.t.Helper()
	owner, err := c.cluster.CreateOwner(c.t.Context(), c.namespace, name)
	require.NoError(c.t, err, "creating the Execution's object")
	return kontinue.Execution{Namespace: c.namespace, Owner: owner}
}

// DeleteExecution deletes the object that NewExecution made, upon which the
// garbage collector deletes its Jobs.
func (c *Cluster) DeleteExecution(name string) {
	c.t.Helper()
	err := c.Clientset().CoreV1().ConfigMaps(c.namespace).Delete(c.t.Context(), name, metav1.DeleteOptions{})
	require.NoError(c.t, err, "deleting the Execution's object")
}

// Run returns what a worker function gets: the context of one run of the
// Execution, which ends with the test.
func (c *Cluster) Run(execution kontinue.Execution) *kontinue.ExecutionContext {
	c.t.Helper()
	ktx, err := c.Client().NewExecutionContext(c.t.Context(), execution)
	require.NoError(c.t, err)
	return ktx
}
