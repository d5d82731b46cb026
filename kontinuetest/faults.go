package kontinuetest

import (
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// Running waits until a pod of the step is running and returns it. It fails the test
// if the test's context is done first.
func (c *Cluster) Running(step string) *corev1.Pod {
	c.t.Helper()
	w, err := c.Clientset().CoreV1().Pods(c.namespace).Watch(c.t.Context(), metav1.ListOptions{LabelSelector: containers.StepLabel + "=" + step})
	require.NoError(c.t, err)
	defer w.Stop()
	for event := range w.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			return pod
		}
	}
	require.FailNow(c.t, "the test ended before a pod of step "+step+" was running")
	return nil
}

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
	require.NoError(c.t, c.cluster.KillNode(c.t.Context(), "node-1"))
}

// CutWatches closes the open watches of the program under test, like a load balancer
// that closes a long-lived connection.
func (c *Cluster) CutWatches() {
	c.cluster.APIServer().CutWatches(apiserver.WatchMatch{})
}

// ExpireWatches ends the open watches of the program under test with 410 Gone, like
// an API server that has compacted the resource version of a watch.
func (c *Cluster) ExpireWatches() {
	c.cluster.APIServer().ExpireWatches(apiserver.WatchMatch{})
}

// FailRequests makes the next requests of the program under test with the given verb
// and resource ("create", "jobs") fail with err, without any effect. times is their
// number; 0 means all requests from now on. Package
// k8s.io/apimachinery/pkg/api/errors has constructors for errors of the API server.
func (c *Cluster) FailRequests(verb, resource string, times int, err error) {
	c.cluster.APIServer().AddFault(apiserver.Fault{
		Match: apiserver.Match{Verb: verb, Resource: resource}, Times: times, Before: err,
	})
}

// LoseAnswers makes the next requests of the program under test with the given verb
// and resource fail with err after they have taken effect, as if the connection
// broke before the response arrived. times is as for [Cluster.FailRequests].
func (c *Cluster) LoseAnswers(verb, resource string, times int, err error) {
	c.cluster.APIServer().AddFault(apiserver.Fault{
		Match: apiserver.Match{Verb: verb, Resource: resource}, Times: times, After: err,
	})
}
