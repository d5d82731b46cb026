package kontinuetest

import "github.com/stretchr/testify/require"

// DeletePod deletes a pod with its grace period, like "kubectl delete pod".
func (c *Cluster) DeletePod(name string) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.DeletePod(c.t.Context(), c.namespace, name))
}

// EvictPod evicts a pod through the eviction API, like "kubectl drain".
func (c *Cluster) EvictPod(name string) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.EvictPod(c.t.Context(), c.namespace, name))
}

// KillNode simulates a power failure of the cluster's only node: the status of its
// pods no longer changes, and deleted pods stay in Terminating.
func (c *Cluster) KillNode() {
	c.t.Helper()
	require.NoError(c.t, c.cluster.KillNode(c.t.Context()))
}

// RestartNode starts the node again that [Cluster.KillNode] has killed, as after a
// reboot: the containers that ran there are dead.
func (c *Cluster) RestartNode() {
	c.t.Helper()
	require.NoError(c.t, c.cluster.RestartNode(c.t.Context()))
}

// CutWatches closes the open watches of the program under test, like a load balancer
// that closes a long-lived connection.
func (c *Cluster) CutWatches() { c.cluster.CutWatches() }

// ExpireWatches ends the open watches of the program under test with 410 Gone, like
// an API server that has compacted the resource version of a watch.
func (c *Cluster) ExpireWatches() { c.cluster.ExpireWatches() }

// FailRequests makes the next requests of the program under test with the given verb
// and resource ("create", "jobs") fail with err, without any effect. times is their
// number; 0 means all requests from now on. An empty verb or resource means any. Package
// k8s.io/apimachinery/pkg/api/errors has constructors for errors of the API server; any
// other err breaks the connection. A verb or resource that the API server does not have
// fails the test.
func (c *Cluster) FailRequests(verb, resource string, times int, err error) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.FailRequests(verb, resource, times, err))
}

// Deny takes a right from the program under test, as RBAC rules without it do: requests with
// the given verb and resource ("list", "pods") are answered with 403, and
// [kontinue.Client.Start] returns a [kontinue.ErrMissingRights]. An empty verb or resource
// means any. It does not end watches that are open, and applies after a crash, too.
func (c *Cluster) Deny(verb, resource string) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.Deny(verb, resource))
}

// LoseAnswers makes the next requests of the program under test with the given verb
// and resource fail with err after they have taken effect, as if the connection
// broke before the response arrived. The arguments are as for [Cluster.FailRequests].
func (c *Cluster) LoseAnswers(verb, resource string, times int, err error) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.LoseAnswers(verb, resource, times, err))
}
