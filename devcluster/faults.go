package devcluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// node is the name of the cluster's only node.
const node = "node-1"

// DeletePod deletes a pod with its grace period, like "kubectl delete pod".
func (c *Cluster) DeletePod(ctx context.Context, namespace, name string) error {
	return about("delete pod", namespace, name, c.memory.DeletePod(ctx, namespace, name))
}

// EvictPod evicts a pod through the eviction API, like "kubectl drain".
func (c *Cluster) EvictPod(ctx context.Context, namespace, name string) error {
	return about("evict pod", namespace, name, c.memory.EvictPod(ctx, namespace, name))
}

func about(what, namespace, name string, err error) error {
	if err != nil {
		return fmt.Errorf("devcluster: %s %s/%s: %w", what, namespace, name, err)
	}
	return nil
}

// KillNode simulates a power failure of the cluster's only node: the status of its pods no
// longer changes, and deleted pods stay in Terminating.
func (c *Cluster) KillNode(ctx context.Context) error {
	if err := c.memory.KillNode(ctx, node); err != nil {
		return fmt.Errorf("devcluster: kill the node: %w", err)
	}
	return nil
}

// RestartNode starts the node again that [Cluster.KillNode] has killed, as after a reboot:
// the containers that ran there are dead.
func (c *Cluster) RestartNode(ctx context.Context) error {
	if err := c.memory.RestartNode(ctx, node); err != nil {
		return fmt.Errorf("devcluster: restart the node: %w", err)
	}
	return nil
}

// CutWatches closes the open watches of the clients of [Cluster.RESTConfig], like a load
// balancer that closes a long-lived connection.
func (c *Cluster) CutWatches() { c.memory.APIServer().CutWatches(apiserver.WatchMatch{}) }

// ExpireWatches ends the open watches of the clients of [Cluster.RESTConfig] with 410 Gone,
// like an API server that has compacted the resource version of a watch.
func (c *Cluster) ExpireWatches() { c.memory.APIServer().ExpireWatches(apiserver.WatchMatch{}) }

// FailRequests makes the next requests of the clients of [Cluster.RESTConfig] with the given
// verb and resource ("create", "jobs") fail with cause, without any effect. times is their
// number; 0 means all requests from now on. An empty verb or resource means any. Package
// k8s.io/apimachinery/pkg/api/errors has constructors for errors of the API server; any
// other cause breaks the connection.
//
// It returns an error for a verb or a resource that the API server does not know.
func (c *Cluster) FailRequests(verb, resource string, times int, cause error) error {
	return c.fault(verb, resource, times, cause, apiserver.Fault{Before: cause})
}

// Deny takes a right from the clients of [Cluster.RESTConfig], as RBAC rules without it do:
// requests with the given verb and resource ("list", "pods") are answered with 403, and
// Client.Start of package kontinue finds that the right is missing. An empty verb or resource
// means any. It does not end watches that are open.
//
// It returns an error for a verb or a resource that the API server does not know.
func (c *Cluster) Deny(verb, resource string) error {
	if err := c.checkRequest(verb, resource); err != nil {
		return err
	}
	c.memory.APIServer().Deny(apiserver.Match{Verb: verb, Resource: resource})
	return nil
}

// LoseAnswers makes the next requests of the clients of [Cluster.RESTConfig] with the given
// verb and resource fail with cause after they have taken effect, as if the connection broke
// before the response arrived. The arguments are as for [Cluster.FailRequests].
func (c *Cluster) LoseAnswers(verb, resource string, times int, cause error) error {
	return c.fault(verb, resource, times, cause, apiserver.Fault{After: cause})
}

func (c *Cluster) fault(verb, resource string, times int, cause error, f apiserver.Fault) error {
	if err := c.checkRequest(verb, resource); err != nil {
		return err
	}
	switch {
	case times < 0:
		return fmt.Errorf("devcluster: disturb %d requests: want a positive number, or 0 for all", times)
	case cause == nil:
		return errors.New("devcluster: disturb requests: the cause is nil")
	}
	f.Match, f.Times = apiserver.Match{Verb: verb, Resource: resource}, times
	c.memory.APIServer().AddFault(f)
	return nil
}

// checkRequest refuses what no request has. Empty is any.
func (c *Cluster) checkRequest(verb, resource string) error {
	if !c.memory.APIServer().Serves(verb, resource) {
		return fmt.Errorf("devcluster: verb %q, resource %q: the API server has no such requests; want for example %q and %q, or %q and %q",
			verb, resource, "create", "jobs", "get", "pods/log")
	}
	return nil
}
