package fakecluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

func TestGracefulDeletion(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script containers.Script
		code   int32
		after  time.Duration
	}{
		"ends at SIGTERM":         {containers.Script{Run: containers.Forever, TermDelay: 2 * time.Second}, 143, 2 * time.Second},
		"exits 0 at SIGTERM":      {containers.Script{Run: 10 * time.Second, TermDelay: 20 * time.Second}, 0, 10 * time.Second},
		"ignores SIGTERM":         {containers.Script{Run: containers.Forever, IgnoreTERM: true}, 137, 30 * time.Second},
		"a function that obeys":   {containers.Script{Do: obey}, 5, 0},
		"a function that hangs":   {containers.Script{Do: hang}, 137, 30 * time.Second},
		"a code of its own":       {containers.Script{Run: containers.Forever, TermCode: 17}, 17, 0},
		"slower than it may take": {containers.Script{Run: containers.Forever, TermDelay: time.Hour}, 137, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{})
				c.On(containers.Match{}, tc.script)
				create(t, c, newJob("job"))
				pod := waitPod(t, c, "job", running)
				gone := watchEnd(t, c, pod.Name)
				began := time.Now()
				require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
				last := <-gone
				require.Equal(t, tc.after, time.Since(began))
				require.Equal(t, tc.code, last.Status.ContainerStatuses[0].State.Terminated.ExitCode)
				want := corev1.PodFailed
				if tc.code == 0 {
					want = corev1.PodSucceeded
				}
				require.Equal(t, want, last.Status.Phase)
			})
		})
	}
}

func obey(ctx context.Context, _ containers.Spec) containers.Exit {
	<-ctx.Done()
	return containers.Exit{Code: 5}
}

func hang(ctx context.Context, _ containers.Spec) containers.Exit {
	<-ctx.Done()
	timer := time.NewTimer(time.Hour)
	<-timer.C
	return containers.Exit{}
}

// watchEnd delivers the last state of the pod once it is gone.
func watchEnd(t *testing.T, c *fakecluster.Cluster, name string) <-chan *corev1.Pod {
	t.Helper()
	w, err := c.Clientset().CoreV1().Pods(ns).Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	out := make(chan *corev1.Pod, 1)
	go func() {
		for event := range w.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == "DELETED" {
				out <- pod
				return
			}
		}
	}()
	return out
}

func TestDeletedBeforeItStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", waitsWith("ImagePullBackOff"))
		gone := watchEnd(t, c, pod.Name)
		require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
		last := <-gone
		require.Equal(t, corev1.PodFailed, last.Status.Phase)
		end := last.Status.ContainerStatuses[0].State.Terminated
		require.Equal(t, "ContainerStatusUnknown", end.Reason)
		require.EqualValues(t, 137, end.ExitCode)
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, c, "job")))
	})
}

func TestDeletedWhileUnscheduled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		create(t, c, newJob("job", cpu("1000")))
		pod := waitPod(t, c, "job", unschedulable)
		require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, c, "job")))
		require.Empty(t, podsOf(t, c, "job"))
	})
}

func TestNodePressureEviction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever, IgnoreTERM: true})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", running)
		require.NoError(t, c.PressureEvictPod(ns, pod.Name, ""))
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, c, "job")))
		status := podsOf(t, c, "job")[0].Status
		require.Equal(t, "Evicted", status.Reason)
		require.Equal(t, "The node was low on resource: memory.", status.Message)
		require.Equal(t, "TerminationByKubelet", podCondition(&corev1.Pod{Status: status}, corev1.DisruptionTarget).Reason)
		require.EqualValues(t, 137, status.ContainerStatuses[0].State.Terminated.ExitCode)
		require.Error(t, c.PressureEvictPod(ns, "no-such-pod", ""))
	})
}

func TestPodDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever})
		began := time.Now()
		create(t, c, newJob("job", func(job *batchv1.Job) { job.Spec.Template.Spec.ActiveDeadlineSeconds = ptr.To[int64](20) }))
		ended(t, c, "job")
		require.Equal(t, 20*time.Second, time.Since(began))
		status := podsOf(t, c, "job")[0].Status
		require.Equal(t, corev1.PodFailed, status.Phase)
		require.Equal(t, "DeadlineExceeded", status.Reason)
	})
}

func TestDeadNodeHoldsTheJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever})
		create(t, c, newJob("job", func(job *batchv1.Job) { job.Spec.ActiveDeadlineSeconds = ptr.To[int64](60) }))
		pod := waitPod(t, c, "job", running)
		require.NoError(t, c.KillNode(t.Context(), "node-1"))
		after(time.Hour)
		job, err := c.Clientset().BatchV1().Jobs(ns).Get(t.Context(), "job", metav1.GetOptions{})
		require.NoError(t, err)
		require.Contains(t, jobLine(job), "terminating=1")
		require.Contains(t, jobLine(job), "FailureTarget")
		require.Nil(t, final(job), "Failed is not written while a pod is terminating")

		gone := watchEnd(t, c, pod.Name)
		require.NoError(t, c.ForceDeletePod(t.Context(), ns, pod.Name))
		require.Equal(t, corev1.PodRunning, (<-gone).Status.Phase)
		require.Equal(t, "Failed/DeadlineExceeded", outcome(ended(t, c, "job")))
		require.Error(t, c.KillNode(t.Context(), "no-such-node"))
	})
}

// TestNodeComesBack: the deletion of a pod on a dead node completes when the node is
// restarted, its container is not started again, and the node takes other pods.
func TestNodeComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Job: "job"}, containers.Script{Run: containers.Forever})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", running)
		require.NoError(t, c.KillNode(t.Context(), "node-1"))
		require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
		create(t, c, newJob("next"))
		after(time.Hour)
		require.Equal(t, corev1.PodRunning, podsOf(t, c, "job")[0].Status.Phase)
		require.Equal(t, corev1.PodPending, podsOf(t, c, "next")[0].Status.Phase)

		gone := watchEnd(t, c, pod.Name)
		require.NoError(t, c.RestartNode(t.Context(), "node-1"))
		last := <-gone
		require.Equal(t, corev1.PodFailed, last.Status.Phase)
		require.EqualValues(t, 137, last.Status.ContainerStatuses[0].State.Terminated.ExitCode)
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, c, "job")))
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "next")))
		require.Error(t, c.RestartNode(t.Context(), "no-such-node"))
	})
}

func TestLostNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		require.NoError(t, c.AddNode(t.Context(), kubelet.Node{Name: "node-2"}))
		c.On(containers.Match{}, containers.Script{Run: containers.Forever}, containers.Script{})
		create(t, c, newJob("job", failurePolicy(onDisruption(batchv1.PodFailurePolicyActionIgnore))))
		pod := waitPod(t, c, "job", running)
		gone := watchEnd(t, c, pod.Name)
		require.NoError(t, c.RemoveNode(t.Context(), pod.Spec.NodeName))
		last := <-gone
		require.Equal(t, corev1.PodFailed, last.Status.Phase)
		require.Equal(t, "DeletionByPodGC", podCondition(last, corev1.DisruptionTarget).Reason)
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
		require.Equal(t, "node-2", podsOf(t, c, "job")[0].Spec.NodeName)
	})
}
