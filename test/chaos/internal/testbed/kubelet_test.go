package testbed_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox:1"}}},
	}
}

func scripted(s testbed.Script) func(context.Context, *corev1.Pod) (testbed.Script, error) {
	return func(context.Context, *corev1.Pod) (testbed.Script, error) { return s, nil }
}

// TestScript follows a pod through its phases.
func TestScript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(newPod())
		k := testbed.NewKubelet(t.Context(), client, scripted(testbed.Script{
			Pending: 2 * time.Second, Running: 3 * time.Second, ExitCode: 7, Message: "out of luck",
		}))
		status := func() corev1.PodStatus {
			synctest.Wait()
			pod, err := client.CoreV1().Pods("ns").Get(t.Context(), "p", metav1.GetOptions{})
			require.NoError(t, err)
			return pod.Status
		}
		start := time.Now()
		k.SyncPod(newPod())
		k.SyncPod(newPod()) // a later event of the same pod
		require.Empty(t, status().Phase)
		require.True(t, testbed.Pause(t.Context(), 2*time.Second))
		require.Equal(t, corev1.PodRunning, status().Phase)
		require.NotNil(t, status().ContainerStatuses[0].State.Running)
		k.Wait()
		require.Equal(t, 5*time.Second, time.Since(start))
		require.Equal(t, corev1.PodFailed, status().Phase)
		exit := status().ContainerStatuses[0].State.Terminated
		require.Equal(t, int32(7), exit.ExitCode)
		require.Equal(t, "out of luck", exit.Message)
		writes := 0
		for _, action := range client.Actions() {
			if action.GetVerb() == "patch" {
				writes++
				require.Equal(t, "status", action.GetSubresource())
			}
		}
		require.Equal(t, 2, writes)
		require.NoError(t, k.Err())
	})
}

// TestWriteErrors checks that a write is retried, and which errors are reported.
func TestWriteErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, fails := fake.NewClientset(newPod()), 3
		client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			fails--
			return fails >= 0, nil, errors.New("connection refused")
		})
		k := testbed.NewKubelet(t.Context(), client, scripted(testbed.Script{}))
		k.SyncPod(newPod())
		k.Wait()
		require.NoError(t, k.Err())

		fails = 1000
		again := newPod()
		again.UID = "again"
		k.SyncPod(again)
		k.Wait()
		require.ErrorContains(t, k.Err(), "connection refused")
	})
	synctest.Test(t, func(t *testing.T) {
		k := testbed.NewKubelet(t.Context(), fake.NewClientset(), scripted(testbed.Script{}))
		k.SyncPod(newPod())
		k.Wait()
		require.NoError(t, k.Err(), "the pod is gone")
	})
}

// TestCanceledKubelet checks that the goroutines of pods end with the context,
// without an error, both while they wait and while they write.
func TestCanceledKubelet(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	waits := testbed.NewKubelet(ctx, fake.NewClientset(newPod()), scripted(testbed.Script{Pending: time.Hour}))
	waits.SyncPod(newPod())
	client := fake.NewClientset(newPod())
	client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		cancel()
		return true, nil, ctx.Err()
	})
	writes := testbed.NewKubelet(ctx, client, scripted(testbed.Script{}))
	writes.SyncPod(newPod())
	for _, k := range []*testbed.Kubelet{waits, writes} {
		k.Wait()
		require.NoError(t, k.Err())
	}
}
