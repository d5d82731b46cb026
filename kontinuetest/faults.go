package kontinuetest

import (
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// Running waits until a pod of the step runs and returns it.
func (c *Cluster) Running(step string) *corev1.Pod {
	c.t.Helper()
	w, err := c.Clientset().CoreV1().Pods(c.namespace).Watch(c.t.Context(), metav1.ListOptions{LabelSelector: kubelet.StepLabel + "=" + step})
	require.NoError(c.t, err)
	defer w.Stop()
	for event := range w.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			return pod
		}
	}
	require.FailNow(c.t, "the test ended before a pod of step "+step+" ran")
	return nil
}

// DeletePod deletes a pod as "kubectl delete pod" does, with its grace period.
func (c *Cluster) DeletePod(name string) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.DeletePod(c.t.Context(), c.namespace, name))
}

// EvictPod evicts a pod through the eviction API, as the drain of a node does.
func (c *Cluster) EvictPod(name string) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.EvictPod(c.t.Context(), c.namespace, name))
}

// KillNode cuts the power of the cluster's only node: its pods' status changes no
// more, and their deletion does not come to an end.
func (c *Cluster) KillNode() {
	c.t.Helper()
	require.NoError(c.t, c.cluster.KillNode(c.t.Context(), "node-1"))
}

// CutWatches closes the program's open watches, as a load balancer does that has
// had enough of a connection.
func (c *Cluster) CutWatches() {
	c.cluster.APIServer().CutWatches(apiserver.WatchMatch{})
}

// ExpireWatches ends the program's open watches with 410 Gone, as an API server
// does whose history no longer reaches back far enough.
func (c *Cluster) ExpireWatches() {
	c.cluster.APIServer().ExpireWatches(apiserver.WatchMatch{})
}

// FailRequests makes the program's next requests with that verb and resource
// ("create", "jobs") fail with err without taking effect; times 0 means all from
// now on. Errors as the API server has them come from the package
// k8s.io/apimachinery/pkg/api/errors.
func (c *Cluster) FailRequests(verb, resource string, times int, err error) {
	c.cluster.APIServer().AddFault(apiserver.Fault{
		Match: apiserver.Match{Verb: verb, Resource: resource}, Times: times, Before: err,
	})
}

// LoseAnswers makes the program's next requests with that verb and resource take
// effect and fail with err nevertheless, as when the connection breaks before the
// answer is there.
func (c *Cluster) LoseAnswers(verb, resource string, times int, err error) {
	c.cluster.APIServer().AddFault(apiserver.Fault{
		Match: apiserver.Match{Verb: verb, Resource: resource}, Times: times, After: err,
	})
}
