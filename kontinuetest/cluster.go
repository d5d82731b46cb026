package kontinuetest

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

// Namespace is the default namespace of the Executions of a [Cluster]. See
// [InNamespace].
const Namespace = "default"

// Cluster is an in-memory Kubernetes cluster that stops when its test ends. Its
// methods fail the test with FailNow instead of returning errors, so they must be
// called from the goroutine that runs the test.
type Cluster struct {
	t         testing.TB
	cluster   *devcluster.Cluster
	namespace string
	configure []func(*kontinue.Config)

	mu      sync.Mutex
	process *process // the present one
	points  []*crashPoint
	ended   bool           // the test has
	dead    sync.WaitGroup // clients of processes that have crashed
}

// Option configures a [Cluster] in [New].
type Option func(*settings)

type settings struct {
	cluster   devcluster.Options
	namespace string
	configure []func(*kontinue.Config)
}

// WithOptions changes the options of the cluster, for example to add custom resources or
// the delays of a real one. Its containers are [devcluster.Scripts] unless change sets
// something else.
func WithOptions(change func(*devcluster.Options)) Option {
	return func(s *settings) { change(&s.cluster) }
}

// WithConfig changes the configuration of [Cluster.Client] and [Cluster.Config], for example
// to set a PodTemplate or an Observer.
func WithConfig(change func(*kontinue.Config)) Option {
	return func(s *settings) { s.configure = append(s.configure, change) }
}

// LocalProcesses runs the command of each container as a process on this machine, as
// [devcluster.Processes] does. [Cluster.Play] must not be used. It does not work in a
// testing/synctest bubble.
func LocalProcesses() Option {
	return WithOptions(func(o *devcluster.Options) { o.Containers = devcluster.Processes })
}

// InNamespace sets the namespace of the Executions, and creates it. Default: [Namespace].
func InNamespace(name string) Option {
	return func(s *settings) { s.namespace = name }
}

// QuickRetries shortens the back-off of the Job controller (10 s, doubled for each
// failed pod) and of the kubelet to milliseconds, for tests in real time.
func QuickRetries() Option {
	return WithOptions(func(o *devcluster.Options) { o.QuickRetries = true })
}

// New starts a cluster and stops it when the test ends. A test that has not failed by then
// fails for a [Play] that no container has followed, unless it is [Play.Optional], and for a
// [Cluster.CrashBefore] or [Cluster.CrashAfter] that never happened. In a testing/synctest
// bubble, call New with the T of the bubble.
func New(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	s := settings{cluster: devcluster.Options{Containers: devcluster.Scripts}, namespace: Namespace}
	for _, opt := range opts {
		opt(&s)
	}
	cluster, err := devcluster.Start(t.Context(), s.cluster)
	require.NoError(t, err, "starting the cluster in memory")
	c := &Cluster{t: t, cluster: cluster, namespace: s.namespace, configure: s.configure}
	t.Cleanup(c.end)
	if s.namespace != Namespace {
		_, err := c.Clientset().CoreV1().Namespaces().Create(t.Context(),
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, metav1.CreateOptions{})
		require.NoError(t, err, "creating the namespace of the Executions")
	}
	return c
}

// Clientset returns a client of the cluster for the test itself, to read and change
// objects. Faults such as [Cluster.FailRequests] do not apply to it.
func (c *Cluster) Clientset() kubernetes.Interface { return c.cluster.Clientset() }

// Config returns the configuration for a client of the cluster, for a program that
// calls [kontinue.New] itself or sets further fields. Its RESTConfig has no limit of
// requests.
func (c *Cluster) Config() kontinue.Config {
	config := kontinue.Config{RESTConfig: c.restConfig(c.current()), Namespace: c.namespace}
	for _, change := range c.configure {
		change(&config)
	}
	return config
}

// Context returns the context of the process of the program under test, for a program that
// is given one: it ends with the test, and with a [Cluster.Crash].
func (c *Cluster) Context() context.Context { return c.current().runs }

// Client returns a started client that is stopped when the test ends. Each call returns the
// same one, until a crash.
func (c *Cluster) Client() *kontinue.Client {
	c.t.Helper()
	p := c.current()
	if p.client != nil {
		return p.client
	}
	client, err := kontinue.New(c.Config())
	require.NoError(c.t, err)
	require.NoError(c.t, client.Start(c.t.Context()), "starting the client")
	c.t.Cleanup(func() {
		require.NoError(c.t, client.Stop(context.WithoutCancel(c.t.Context())), "stopping the client")
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	p.client = client
	return client
}

// end checks what the test has set up, and stops the cluster.
func (c *Cluster) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.dead.Wait()
	defer c.cluster.Stop()
	if c.t.Failed() {
		return
	}
	if err := c.cluster.CheckPlays(); err != nil {
		c.t.Errorf("%v", err)
	}
	for _, p := range c.points {
		if !p.reached.Load() {
			c.t.Errorf("kontinuetest: %s: the process has made no such request since", p.name)
		}
	}
}

// NewExecution creates a ConfigMap with the given name to own Jobs, and returns an
// Execution on its first attempt that refers to it, or to the existing one with that name.
// The caller may change Attempts, ChildPolicy and other fields before it uses the Execution.
func (c *Cluster) NewExecution(name string) kontinue.Execution {
	c.t.Helper()
	execution, err := c.cluster.NewExecution(c.t.Context(), c.namespace, name)
	require.NoError(c.t, err)
	return execution
}

// DeleteExecution deletes the ConfigMap that NewExecution created. The garbage
// collector then deletes its Jobs.
func (c *Cluster) DeleteExecution(name string) {
	c.t.Helper()
	err := c.Clientset().CoreV1().ConfigMaps(c.namespace).Delete(c.t.Context(), name, metav1.DeleteOptions{})
	require.NoError(c.t, err, "deleting the Execution's object")
}

// Run returns the argument of a worker function: the context of one run of the
// Execution, on the client of [Cluster.Client]. It is canceled when the test ends, and by a
// [Cluster.Crash].
func (c *Cluster) Run(execution kontinue.Execution) *kontinue.ExecutionContext {
	c.t.Helper()
	ktx, err := c.Client().NewExecutionContext(c.Context(), execution)
	require.NoError(c.t, err)
	return ktx
}
