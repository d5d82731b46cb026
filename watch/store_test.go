package watch_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// TestRunsOfAStepAreFoundTogether: they can also be removed one by one, from any place in
// the list.
func TestRunsOfAStepAreFoundTogether(t *testing.T) {
	t.Parallel()
	for _, first := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				w, _ := start(t, client)
				left := map[string]bool{}
				for i := range 3 {
					j := job(fmt.Sprintf("run-%d", i), "uid-"+uidOf(i), "1")
					j.Labels[identity.LabelStep] = "build"
					left[j.Name] = true
					_, err := client.BatchV1().Jobs("ns").Create(t.Context(), j, metav1.CreateOptions{})
					require.NoError(t, err)
					for k := range 3 {
						p := pod(fmt.Sprintf("%s-%d", j.Name, k), "pod-"+uidOf(3*i+k), "1", j, corev1.PodRunning)
						_, err := client.CoreV1().Pods("ns").Create(t.Context(), p, metav1.CreateOptions{})
						require.NoError(t, err)
					}
				}
				for i := range 3 {
					synctest.Wait()
					require.Len(t, w.Jobs("ns", "exec", "build"), len(left))
					for _, j := range w.Jobs("ns", "exec", "build") {
						require.True(t, left[j.Name])
						require.Len(t, w.Pods("ns", j.UID), 3)
					}
					gone := (first + i) % 3
					name := fmt.Sprintf("run-%d", gone)
					delete(left, name)
					require.NoError(t, client.BatchV1().Jobs("ns").Delete(t.Context(), name, metav1.DeleteOptions{}))
					require.NoError(t, client.CoreV1().Pods("ns").Delete(t.Context(), fmt.Sprintf("%s-%d", name, first), metav1.DeleteOptions{}))
					synctest.Wait()
					require.Len(t, w.Pods("ns", "uid-"+uidOf(gone)), 2)
				}
				require.Empty(t, w.Jobs("ns", "exec", "build"))
			})
		})
	}
}

// TestGonePodIsLeftWhole: a force-deleted Pod has no deletion timestamp.
func TestGonePodIsLeftWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pod("p", "p1", "1", job("a", "j1", "1"), corev1.PodRunning)
		client := fake.NewClientset(p)
		gone := &lastPods{}
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"), Handler: gone})
		require.NoError(t, w.Start(t.Context()))
		require.NoError(t, client.CoreV1().Pods("ns").Delete(t.Context(), "p", metav1.DeleteOptions{}))
		synctest.Wait()
		require.NoError(t, w.Stop(t.Context()))
		require.Len(t, gone.deleted, 1)
		require.True(t, gone.deleted[0].Whole)
		require.Len(t, gone.deleted[0].Object().Spec.Volumes, 1)
	})
}

// lastPods keeps the last states of Pods.
type lastPods struct {
	recorder
	deleted []*watch.Pod
}

func (l *lastPods) PodDeleted(p *watch.Pod) { l.deleted = append(l.deleted, p) }

// TestRunningPodIsTrimmed: what its progress needs is kept.
func TestRunningPodIsTrimmed(t *testing.T) {
	t.Parallel()
	owner := job("a", "j1", "1")
	p := pod("p", "p1", "1", owner, corev1.PodRunning)
	disrupted := corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI"}
	notReady := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"}
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "10.0.0.1", HostIP: "10.0.0.2", StartTime: ptr.To(metav1.Unix(1, 0)),
		Conditions: []corev1.PodCondition{disrupted, {Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, notReady},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", Image: "i", ImageID: "i@sha256:ab", ContainerID: "containerd://ab", RestartCount: 2, Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(2, 0)}},
		}},
	}
	got := watch.NewPod(p).Object()
	require.Empty(t, got.Spec.Containers, "the kubelet has reported on all")
	require.Len(t, got.Spec.InitContainers, 1)
	require.Equal(t, corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: p.Status.StartTime,
		Conditions: []corev1.PodCondition{disrupted, notReady},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", Image: "i", RestartCount: 2, Ready: true, State: p.Status.ContainerStatuses[0].State,
		}},
	}, got.Status)
}

func uidOf(i int) types.UID { return types.UID(fmt.Sprintf("%03d", i)) }

// TestRecordedJobLeavesAtOnce: a Job that this process has recorded is not found again,
// neither by the state that the cache has nor by one that the watch delivers later.
func TestRecordedJobLeavesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		w, _ := start(t, client)
		j := job("run", "uid-0", "5")
		j.Labels[identity.LabelStep] = "build"
		made, err := client.BatchV1().Jobs("ns").Create(t.Context(), j, metav1.CreateOptions{})
		require.NoError(t, err)
		shown := func() int {
			synctest.Wait()
			_, ok := w.Job("ns", "run")
			require.Equal(t, ok, len(w.Jobs("ns", "exec", "build")) == 1)
			return len(w.Jobs("ns", "exec", "build"))
		}
		update := func(version string) {
			made.ResourceVersion = version
			_, err = client.BatchV1().Jobs("ns").Update(t.Context(), made, metav1.UpdateOptions{})
			require.NoError(t, err)
		}
		require.Equal(t, 1, shown())
		w.Recorded("ns", "run", "another", "9")
		w.Recorded("ns", "other", "uid-0", "9")
		w.Recorded("ns", "run", "uid-0", "4")
		require.Equal(t, 1, shown(), "the cache has a newer state, or another Job")
		w.Recorded("ns", "run", "uid-0", "8")
		require.Zero(t, shown())
		update("7")
		require.Zero(t, shown(), "a state from before the record")
		update("9")
		require.Equal(t, 1, shown(), "the record was removed since")
	})
}

// TestEarlierStateIsIgnored: an event that arrives late does not replace a later state.
func TestEarlierStateIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := job("run", "uid-0", "9")
		p := pod("p", "pod-0", "10", j, corev1.PodRunning)
		client := fake.NewClientset(j, p)
		w, r := start(t, client)
		r.take()
		j.ResourceVersion, p.ResourceVersion, p.Status.Phase = "7", "8", corev1.PodPending
		_, err := client.BatchV1().Jobs("ns").Update(t.Context(), j, metav1.UpdateOptions{})
		require.NoError(t, err)
		_, err = client.CoreV1().Pods("ns").Update(t.Context(), p, metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, r.take())
		got, _ := w.Job("ns", "run")
		require.Equal(t, "9", got.ResourceVersion)
		require.Equal(t, corev1.PodRunning, w.Pods("ns", "uid-0")[0].Phase)
		j.ResourceVersion, j.UID = "6", "uid-1"
		_, err = client.BatchV1().Jobs("ns").Update(t.Context(), j, metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.NotEmpty(t, r.take(), "another Job")
	})
}
