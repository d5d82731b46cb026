package watch_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// startFinishing runs a watcher for which a Job with an outcome is finished.
func startFinishing(t *testing.T, client *fake.Clientset) (*watch.Watcher, *recorder) {
	t.Helper()
	r := &recorder{}
	w := watch.New(watch.Config{
		Clientset: client, Namespace: "ns", Selector: identity.Selector("group"), Handler: r,
		Finished: func(j *watch.Job) bool { return j.Record != "" },
	})
	require.NoError(t, w.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, w.Stop(context.Background())) })
	return w, r
}

// ended gives a Job its end and its outcome.
func ended(j *batchv1.Job, c batchv1.JobConditionType) *batchv1.Job {
	j.Annotations = map[string]string{
		identity.AnnotationRecord: `{"v":1}`, identity.AnnotationRun: "2", identity.AnnotationAttempt: "1",
		identity.AnnotationSpecHash: "sha256:ab", identity.AnnotationTTL: "60", identity.AnnotationCanceled: "true",
	}
	j.OwnerReferences = []metav1.OwnerReference{{Kind: "ConfigMap", Name: "exec", UID: "owner", Controller: ptr.To(true)}}
	j.CreationTimestamp = metav1.Unix(1000, 0)
	j.Status = batchv1.JobStatus{
		Succeeded: 3, Failed: 1,
		Conditions: []batchv1.JobCondition{
			{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Message: "dropped"},
			{Type: c, Status: corev1.ConditionTrue, Message: "dropped"},
		},
	}
	return j
}

// TestFinishedJobKeepsWhatAResumeNeeds: and nothing else.
func TestFinishedJobKeepsWhatAResumeNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
		t.Run(string(c), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := ended(job("a", "j1", "7"), c)
				w, r := startFinishing(t, fake.NewClientset(j))
				want := watch.NewJob(j)
				require.Equal(t, []*watch.Job{want}, r.jobs, "the handler is told of the whole status")
				want.Status = batchv1.JobStatus{
					Succeeded: 3, Failed: 1, Conditions: []batchv1.JobCondition{{Type: c, Status: corev1.ConditionTrue}},
				}
				got, ok := w.Job("ns", "a")
				require.True(t, ok)
				require.Equal(t, want, got)
				require.Equal(t, []*watch.Job{want}, w.Jobs("exec", "a"))
			})
		})
	}
}

// TestPodsOfFinishedJobsGo: in whatever order Jobs and Pods come, those of the last
// few stay, and the handler is told of all.
func TestPodsOfFinishedJobsGo(t *testing.T) {
	t.Parallel()
	const n = watch.RecentlyFinished + 10
	name := func(i int) string { return fmt.Sprintf("job-%03d", i) }
	made := func(i int) *batchv1.Job { return job(name(i), "uid-"+uidOf(i), "1") }
	podOf := func(i int) *corev1.Pod {
		return pod(name(i)+"-pod", "pod-"+uidOf(i), "1", made(i), corev1.PodSucceeded)
	}
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		w, r := startFinishing(t, client)
		jobs, pods := client.BatchV1().Jobs("ns"), client.CoreV1().Pods("ns")
		for i := range n {
			_, err := jobs.Create(t.Context(), made(i), metav1.CreateOptions{})
			require.NoError(t, err)
			if i%2 == 0 { // the others' come late
				_, err = pods.Create(t.Context(), podOf(i), metav1.CreateOptions{})
				require.NoError(t, err)
			}
			synctest.Wait()
		}
		for i := range n {
			_, err := jobs.Update(t.Context(), ended(made(i), batchv1.JobComplete), metav1.UpdateOptions{})
			require.NoError(t, err)
			synctest.Wait()
		}
		for i := range n {
			if i%2 == 1 {
				_, err := pods.Create(t.Context(), podOf(i), metav1.CreateOptions{})
				require.NoError(t, err)
				synctest.Wait()
			}
		}
		require.Len(t, r.pods, n)
		for i := range n {
			want := 1
			if i < n-watch.RecentlyFinished {
				want = 0
			}
			require.Len(t, w.Pods("uid-"+uidOf(i)), want, "of job %d", i)
		}
		// A further change of a Job does not bring it to the front.
		again := ended(made(n-watch.RecentlyFinished), batchv1.JobComplete)
		_, err := jobs.Update(t.Context(), again, metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, w.Pods(again.UID), 1)
		// Nor does it bring back the Pods of one that has been finished for long.
		again = ended(made(0), batchv1.JobComplete)
		again.ResourceVersion = "2"
		_, err = jobs.Update(t.Context(), again, metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		changed := podOf(0)
		changed.ResourceVersion = "2"
		_, err = pods.Update(t.Context(), changed, metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, w.Pods(again.UID))
		// Deletions are told of, also of Pods that are not in the cache.
		r.take()
		require.NoError(t, pods.Delete(t.Context(), podOf(0).Name, metav1.DeleteOptions{}))
		require.NoError(t, jobs.Delete(t.Context(), name(0), metav1.DeleteOptions{}))
		synctest.Wait()
		require.ElementsMatch(t, []string{
			fmt.Sprintf("pod deleted %s/%s", podOf(0).Name, podOf(0).UID), fmt.Sprintf("job deleted %s/%s", name(0), made(0).UID),
		}, r.take())
	})
}

// TestRunsOfAStepAreFoundTogether: and taken apart again, one by one, from any
// place in the list.
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
					require.Len(t, w.Jobs("exec", "build"), len(left))
					for _, j := range w.Jobs("exec", "build") {
						require.True(t, left[j.Name])
						require.Len(t, w.Pods(j.UID), 3)
					}
					gone := (first + i) % 3
					name := fmt.Sprintf("run-%d", gone)
					delete(left, name)
					require.NoError(t, client.BatchV1().Jobs("ns").Delete(t.Context(), name, metav1.DeleteOptions{}))
					require.NoError(t, client.CoreV1().Pods("ns").Delete(t.Context(), fmt.Sprintf("%s-%d", name, first), metav1.DeleteOptions{}))
					synctest.Wait()
					require.Len(t, w.Pods("uid-"+uidOf(gone)), 2)
				}
				require.Empty(t, w.Jobs("exec", "build"))
			})
		})
	}
}

// TestGonePodIsLeftWhole: a Pod that is deleted by force shows no time of deletion.
func TestGonePodIsLeftWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pod("p", "p1", "1", job("a", "j1", "1"), corev1.PodRunning)
		client := fake.NewClientset(p)
		gone := &lastPods{}
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Selector: identity.Selector("group"), Handler: gone})
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

// TestRunningPodIsTrimmed: what its progress needs stays.
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
