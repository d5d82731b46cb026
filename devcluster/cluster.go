package devcluster

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/fakecluster"
)

// Cluster is a running cluster. It is safe for concurrent use.
type Cluster struct {
	memory    *fakecluster.Cluster
	scripts   bool // what runs in the containers
	ledger    *ledger
	data      *data // nil if the cluster is in memory only
	authority func() (*authority, error)

	mu        sync.Mutex
	stopped   bool
	endpoints []*Endpoint
	plays     []played
}

// Start starts a cluster, which runs until [Cluster.Stop]. ctx bounds Start itself. The
// namespaces of every cluster exist, such as default; others have to be created first, as on every
// cluster. Start returns an error for invalid options.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	memory, err := opts.memory()
	if err != nil {
		return nil, fmt.Errorf("devcluster: options: %w", err)
	}
	scripts := !memory.LocalProcesses
	data, err := openData(opts.Data)
	if err == nil {
		err = data.configure(&memory)
	}
	if err != nil {
		data.close()
		return nil, fmt.Errorf("devcluster: open the directory of the cluster: %w", err)
	}
	c := &Cluster{
		memory: fakecluster.New(memory), scripts: scripts, ledger: newLedger(),
		data: data, authority: sync.OnceValues(data.authority),
	}
	c.memory.APIServer().AddObserver(c.ledger.note)
	if err := data.restore(c.memory.APIServer()); err != nil {
		c.Stop()
		return nil, fmt.Errorf("devcluster: restore the cluster: %w", err)
	}
	if err := c.memory.Start(ctx); err != nil {
		c.Stop()
		return nil, fmt.Errorf("devcluster: start the cluster: %w", err)
	}
	return c, nil
}

// Stop closes the endpoints, kills the containers and returns when they have ended. It is
// idempotent.
func (c *Cluster) Stop() {
	c.mu.Lock()
	endpoints := c.endpoints
	c.endpoints, c.stopped = nil, true
	c.mu.Unlock()
	for _, e := range endpoints {
		e.Close()
	}
	c.memory.Stop()
	c.data.close()
}

// RESTConfig returns the configuration of a client in this process, which reaches the
// cluster without a socket. Faults such as [Cluster.FailRequests] apply to the clients that
// are made of it. It has client-go's default limit of 5 requests a second.
func (c *Cluster) RESTConfig() *rest.Config { return c.memory.Config() }

// Clientset returns a client for the program's own objects, without a limit of requests.
// No fault applies to it.
func (c *Cluster) Clientset() kubernetes.Interface {
	return c.memory.APIServer().ClientsetAs(adminUser)
}
