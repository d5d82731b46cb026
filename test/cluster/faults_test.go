package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/test/cluster"
)

func podPending(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodPending }

// testKubeletRestart kills kubelet and containerd while a container is running.
func testKubeletRestart(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	create(t, client, job("steady", "while [ ! -e /tmp/stop ]; do sleep 0.1; done; sleep 3; echo done"))
	pod := podOf(t, client, namespace, "steady", podRunning)
	for _, component := range []cluster.Component{cluster.Kubelet, cluster.Containerd} {
		require.NoError(t, c.Kill(testContext(t), component))
		require.Zero(t, c.Pid(component))
		require.Error(t, c.Kill(testContext(t), component), "it is already dead")
		require.NoError(t, c.Restart(testContext(t), component))
		require.NotZero(t, c.Pid(component))
	}
	require.NoError(t, c.PauseNode())
	require.NoError(t, c.ResumeNode())

	again := podOf(t, client, namespace, "steady", podRunning)
	require.Zero(t, again.Status.ContainerStatuses[0].RestartCount)
	require.Equal(t, pod.Status.ContainerStatuses[0].ContainerID, again.Status.ContainerStatuses[0].ContainerID)
	require.NoError(t, client.CoreV1().Pods(namespace).Delete(testContext(t), pod.Name, metav1.DeleteOptions{}))
	require.Equal(t, batchv1.JobFailed, finished(t, client, namespace, "steady").Type)
}

// testAPIServerFaults injects failures into the control plane of a cluster without a
// node.
func testAPIServerFaults(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	ctx := testContext(t)
	get := func(ctx context.Context) error {
		_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		return err
	}
	t.Run("killed", func(t *testing.T) {
		require.NoError(t, c.Kill(ctx, cluster.APIServer))
		require.Error(t, get(ctx))
		require.NoError(t, c.Restart(ctx, cluster.APIServer))
		require.NoError(t, get(ctx))
	})
	t.Run("frozen", func(t *testing.T) {
		require.NoError(t, c.Pause(cluster.APIServer))
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		require.ErrorIs(t, get(short), context.DeadlineExceeded)
		require.NoError(t, c.Resume(cluster.APIServer))
		require.NoError(t, get(ctx))
	})
	t.Run("upgraded", func(t *testing.T) {
		require.NoError(t, c.Terminate(ctx, cluster.APIServer))
		require.NoError(t, c.Restart(ctx, cluster.APIServer))
		require.NoError(t, get(ctx))
	})
	t.Run("history is compacted", func(t *testing.T) {
		configMaps := client.CoreV1().ConfigMaps(namespace)
		list, err := configMaps.List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		for i := range 3 {
			_, err := configMaps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("history-%d", i)},
			}, metav1.CreateOptions{})
			require.NoError(t, err)
		}
		require.NoError(t, c.CompactEtcd(ctx))
		require.NoError(t, c.Restart(ctx, cluster.APIServer))
		stream, err := configMaps.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err == nil { // the error may also come as the first event
			defer stream.Stop()
			err = apierrors.FromObject((<-stream.ResultChan()).Object)
		}
		require.True(t, apierrors.IsResourceExpired(err) || apierrors.IsGone(err), "%v", err)
	})
	t.Run("etcd and controllers restart", func(t *testing.T) {
		require.NoError(t, c.Restart(ctx, cluster.Etcd))
		require.NoError(t, c.Restart(ctx, cluster.ControllerManager))
		create(t, client, job("after", "true"))
		podOf(t, client, namespace, "after", podPending)
	})
}
