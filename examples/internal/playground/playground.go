package playground

import (
	"context"
	"flag"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// Options select the cluster. The zero value is a cluster in memory.
type Options struct {
	// Kubeconfig is the path of a kubeconfig file. Default: empty, for the cluster
	// in memory.
	Kubeconfig string
	// Namespace is the namespace of the example. Default: "default".
	Namespace string
}

// Flags adds the options to a program's flags.
func (o *Options) Flags(flags *flag.FlagSet) {
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig `file` of a real cluster (default: a cluster in memory, whose commands run as local processes)")
	flags.StringVar(&o.Namespace, "namespace", "default", "`namespace` to work in")
}

// Cluster is an open cluster.
type Cluster struct {
	namespace string
	server    string
	clientset kubernetes.Interface // the example's own

	rest    *rest.Config // kontinue's, on a real cluster
	counter *counter

	memory *fakecluster.Cluster // nil on a real cluster
}

// New returns a cluster to be started with [Cluster.Start]. It sends no request.
func New(o Options) (*Cluster, error) {
	c := &Cluster{namespace: o.Namespace}
	if c.namespace == "" {
		c.namespace = metav1.NamespaceDefault
	}
	if o.Kubeconfig == "" {
		c.memory = fakecluster.New(fakecluster.Options{LocalProcesses: true})
		c.clientset = c.memory.APIServer().ClientsetAs("example")
		return c, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	c.server = config.Host
	if c.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	c.counter = &counter{requests: Requests{}}
	c.rest = rest.CopyConfig(config)
	c.rest.Wrap(c.counter.wrap)
	return c, nil
}

// Start starts the cluster in memory. For a real one it does nothing.
func (c *Cluster) Start(ctx context.Context) error {
	if c.memory == nil {
		return nil
	}
	return c.memory.Start(ctx)
}

// Stop stops the cluster in memory and all containers on it. For a real one it does
// nothing.
func (c *Cluster) Stop() {
	if c.memory != nil {
		c.memory.Stop()
	}
}

// InMemory reports whether the cluster is in memory.
func (c *Cluster) InMemory() bool { return c.memory != nil }

// String describes the cluster in one line.
func (c *Cluster) String() string {
	if c.memory != nil {
		return "in this process's memory; commands run as local processes, images are not pulled"
	}
	return "API server " + c.server
}

// Namespace returns the namespace to work in.
func (c *Cluster) Namespace() string { return c.namespace }

// Clientset returns a client for the example's own objects.
func (c *Cluster) Clientset() kubernetes.Interface { return c.clientset }

// Config returns the configuration for a kontinue client of the cluster.
func (c *Cluster) Config() kontinue.Config {
	config := kontinue.Config{Namespace: c.namespace, RESTConfig: c.rest}
	if c.memory != nil {
		config.Clientset = c.memory.Clientset()
	}
	return config
}

// Requests returns the number of requests that clients of [Cluster.Config] have
// sent. Only accepted watches count.
func (c *Cluster) Requests() Requests {
	if c.memory == nil {
		return c.counter.snapshot()
	}
	requests := Requests{}
	stats := c.memory.APIServer().Stats()
	for key, n := range stats.Requests {
		if key.User == apiserver.DefaultUser && key.Verb != "watch" {
			requests[Request{key.Verb, key.Resource}] += n
		}
	}
	for watch, n := range stats.WatchesOpened {
		if watch.User == apiserver.DefaultUser {
			requests[Request{"watch", watch.Resource}] += n
		}
	}
	return requests
}

// ownerTimeout limits the deletion of an owner, which ignores the context because it
// must also run after a signal.
const ownerTimeout = 10 * time.Second

// CreateOwner creates a ConfigMap with a generated name to own the Jobs of an
// Execution. It returns a reference to it and a function that deletes it, upon which
// the cluster's garbage collector deletes the Jobs.
func (c *Cluster) CreateOwner(ctx context.Context, prefix string) (owner metav1.OwnerReference, remove func() error, err error) {
	maps := c.clientset.CoreV1().ConfigMaps(c.namespace)
	created, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}, metav1.CreateOptions{})
	if err != nil {
		return owner, nil, fmt.Errorf("create a ConfigMap in namespace %s to own the Jobs: %w", c.namespace, err)
	}
	owner = metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: created.Name, UID: created.UID}
	return owner, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownerTimeout)
		defer cancel()
		background := metav1.DeletePropagationBackground
		err := maps.Delete(ctx, owner.Name, metav1.DeleteOptions{
			PropagationPolicy: &background,
			Preconditions:     &metav1.Preconditions{UID: &owner.UID},
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete ConfigMap %s/%s manually, which deletes its Jobs too: %w", c.namespace, owner.Name, err)
		}
		return nil
	}, nil
}
