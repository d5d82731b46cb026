package fakecluster

import (
	"context"
	"errors"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/controller"
	"github.com/kontinue/kontinue/internal/fakecluster/engine"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// Users of the cluster's components.
const (
	ControllerUser = "system:kube-controller-manager"
	NodeUser       = "system:node:node-1"
)

// Options configure a Cluster. The zero value is a cluster of one node with room
// for everything, whose containers follow scripts.
type Options struct {
	// APIServer configures the API server.
	APIServer apiserver.Options
	// Controller configures the controllers.
	Controller controller.Options
	// Kubelet configures the scheduler and the kubelets.
	Kubelet kubelet.Options
	// Delays are those of the kubelets and the Job controller; default none. A delay in
	// Controller or Kubelet takes precedence.
	Delays Delays
	// Runtime runs the containers; default a containers.Scripts.
	Runtime containers.Runtime
	// LocalProcesses runs each container's command as a local process; see
	// containers.Processes. It is ignored if Runtime is set.
	LocalProcesses bool
}

// Cluster is a Kubernetes cluster in memory.
type Cluster struct {
	server     *apiserver.Server
	client     kubernetes.Interface // of the controllers
	partial    metadata.Interface   // of the same user
	cache      *engine.Cache
	controller *controller.Manager
	kubelet    *kubelet.Kubelet
	scripts    *containers.Scripts // nil if another Runtime is in use

	mu      sync.Mutex
	cancel  context.CancelFunc
	stopped bool
}

// ErrStopped is returned by Start once Stop has been called.
var ErrStopped = errors.New("fakecluster: the cluster has been stopped")

// New returns a Cluster. Its API server works at once; the controllers and kubelets
// begin with Start.
func New(opts Options) *Cluster {
	opts.Delays.apply(&opts)
	c := &Cluster{server: apiserver.New(opts.APIServer)}
	c.cache = engine.NewCache(c.server.CustomResources()...)
	runtime := opts.Runtime
	if runtime == nil && opts.LocalProcesses {
		runtime = containers.NewProcesses()
	}
	if runtime == nil {
		runtime = containers.NewScripts()
	}
	c.scripts, _ = runtime.(*containers.Scripts)
	c.client = c.server.ClientsetAs(ControllerUser)
	config := c.server.Config(ControllerUser)
	config.QPS = -1
	c.partial = metadata.NewForConfigOrDie(config)
	c.controller = controller.New(c.client, c.partial, c.cache, opts.Controller)
	c.kubelet = kubelet.New(c.server.ClientsetAs(NodeUser), c.cache, runtime, opts.Kubelet)
	c.server.SetLogSource(c.kubelet.Logs)
	c.server.AddAdmission(c.checkServiceAccount)
	return c
}

// Start runs the controllers and kubelets until Stop. ctx bounds Start itself, not the
// lifetime of the cluster. A second Start does nothing.
func (c *Cluster) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped:
		return ErrStopped
	case c.cancel != nil:
		return nil
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	c.cancel = cancel
	err := c.cache.Start(run, c.client, c.partial)
	if err == nil {
		err = c.kubelet.Start(run)
	}
	if err == nil {
		c.controller.Start(run)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.shutDown()
	}
	return err
}

// Stop stops the cluster: it kills the containers, ends the watches, and returns when
// every goroutine has ended. It is idempotent. A stopped cluster cannot be restarted,
// but its objects can still be read.
func (c *Cluster) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shutDown()
}

func (c *Cluster) shutDown() {
	if c.stopped {
		return
	}
	c.stopped = true
	if c.cancel != nil {
		c.cancel()
	}
	c.cache.Wait()
	c.controller.Wait()
	c.kubelet.Wait()
	c.server.Close()
}

// Config returns the configuration of a client for the program under test.
func (c *Cluster) Config() *rest.Config { return c.server.Config("") }

// Clientset returns the client for the program under test. It has no limit of requests.
func (c *Cluster) Clientset() kubernetes.Interface { return c.server.Clientset() }

// APIServer returns the API server, for faults, denials and counts of requests.
func (c *Cluster) APIServer() *apiserver.Server { return c.server }

// On sets the scripts of the containers that match; see containers.Scripts.On. It
// panics if the cluster's containers do not follow scripts.
func (c *Cluster) On(match containers.Match, scripts ...containers.Script) *containers.Rule {
	if c.scripts == nil {
		panic("fakecluster: On needs a cluster whose Runtime is containers.Scripts")
	}
	return c.scripts.On(match, scripts...)
}

// Ran returns the containers that have begun, if the cluster's containers follow scripts.
func (c *Cluster) Ran() []containers.Ran {
	if c.scripts == nil {
		return nil
	}
	return c.scripts.Ran()
}
