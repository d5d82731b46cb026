package watch_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

const record = `{"v":1}`

// recorded gives a Job a record, and the label if it is to have it.
func recorded(j *batchv1.Job, text string, label bool) *batchv1.Job {
	j.Annotations = map[string]string{identity.AnnotationRecord: text}
	if label {
		j.Labels[identity.LabelRecorded] = ""
	}
	return j
}

// stream is the watch of one resource, to which a test writes.
func stream(client *fake.Clientset, resource string) *apiwatch.FakeWatcher {
	events := apiwatch.NewFake()
	var once sync.Once
	client.PrependWatchReactor(resource, func(clienttesting.Action) (handled bool, w apiwatch.Interface, err error) {
		once.Do(func() { handled, w = true, events })
		return handled, w, nil
	})
	return events
}

// podsOf returns the names of the cached Pods of a Job.
func podsOf(w *watch.Watcher, job types.UID) (names []string) {
	for _, p := range w.Pods("ns", job) {
		names = append(names, p.Name)
	}
	return names
}

// TestRecordedJobLeavesTheCache: an API server shows a recorded Job as deleted, with its
// previous state, since the selector no longer matches. Its finished Pods leave with it,
// and its running Pods once they have finished.
func TestRecordedJobLeavesTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, other := job("a", "j1", "1"), job("b", "j2", "1")
		client := fake.NewClientset(j, other, pod("a-1", "p1", "1", j, corev1.PodSucceeded),
			pod("a-2", "p2", "1", j, corev1.PodRunning), pod("a-3", "p3", "1", j, corev1.PodFailed), pod("b-1", "p4", "1", other, corev1.PodSucceeded))
		jobs := stream(client, "jobs")
		w, r := start(t, client)
		require.ElementsMatch(t, []string{"a-1", "a-2", "a-3"}, podsOf(w, "j1"))
		r.take()

		before := job("a", "j1", "2")
		jobs.Delete(before)
		synctest.Wait()
		require.Equal(t, []string{"job deleted a/j1"}, r.take())
		_, ok := w.Job("ns", "a")
		require.False(t, ok)
		require.Empty(t, w.Jobs("ns", "exec", "a"))
		require.Equal(t, []string{"a-2"}, podsOf(w, "j1"))
		require.Equal(t, []string{"b-1"}, podsOf(w, "j2"))

		_, err := client.CoreV1().Pods("ns").Update(t.Context(), pod("a-2", "p2", "2", j, corev1.PodSucceeded), metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []string{"pod a-2/p2"}, r.take(), "the handler sees it anyway")
		require.Empty(t, podsOf(w, "j1"))
		require.NoError(t, client.CoreV1().Pods("ns").Delete(t.Context(), "a-2", metav1.DeleteOptions{}))
		synctest.Wait()
		require.Equal(t, []string{"pod deleted a-2/p2"}, r.take())
	})
}

// TestRecordedJobOnAFakeClientset: a fake clientset ignores selectors in a watch, and a
// Job may have been recorded without the label. The handler receives the record, and the
// cache does not hold the Job.
func TestRecordedJobOnAFakeClientset(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		record        string
		label, living bool
	}{
		"label and record":                  {record, true, false},
		"record without label":              {record, false, false},
		"label without record":              {"", true, false},
		"label with a record of no version": {"{}", true, false},
		"record of no version":              {"{}", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, uid := range []types.UID{"j1", ""} { // client-go's fake gives none
					j := job("a", uid, "1")
					cached := watch.NewJob(j).UID
					client := fake.NewClientset(j, pod("a-1", "p1", "1", j, corev1.PodSucceeded), pod("a-2", "p2", "1", j, corev1.PodRunning))
					r := &recorder{}
					w := watch.New(watch.Config{
						Clientset: client, Namespace: "ns", JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"),
						Handler: r, Readable: func(text string) bool { return text == record },
					})
					require.NoError(t, w.Start(t.Context()))
					require.Len(t, podsOf(w, cached), 2)
					for _, version := range []string{"2", "3"} { // a further change is one, too
						r.jobs = nil
						_, err := client.BatchV1().Jobs("ns").Update(t.Context(), recorded(job("a", uid, version), tc.record, tc.label), metav1.UpdateOptions{})
						require.NoError(t, err)
						synctest.Wait()
						require.Len(t, r.jobs, 1)
						require.Equal(t, tc.record, r.jobs[0].Record)
						_, ok := w.Job("ns", "a")
						require.Equal(t, tc.living, ok)
						if !tc.living {
							require.Equal(t, []string{"a-2"}, podsOf(w, cached))
						} else {
							require.Len(t, podsOf(w, cached), 2)
						}
					}
					// Without label and record it is living again.
					_, err := client.BatchV1().Jobs("ns").Update(t.Context(), job("a", uid, "4"), metav1.UpdateOptions{})
					require.NoError(t, err)
					synctest.Wait()
					_, ok := w.Job("ns", "a")
					require.True(t, ok)
					require.NoError(t, w.Stop(t.Context()))
				}
			})
		})
	}
}

// TestStartAmongFinishedJobs: objects that are not needed are left out of the lists, and
// reach neither the handler nor the informers.
func TestStartAmongFinishedJobs(t *testing.T) {
	t.Parallel()
	for _, uid := range []types.UID{"j", ""} {
		synctest.Test(t, func(t *testing.T) {
			of := func(name string) types.UID {
				if uid == "" {
					return ""
				}
				return uid + "-" + types.UID(name)
			}
			living, labelled := job("living", of("1"), "1"), recorded(job("labelled", of("2"), "1"), record, true)
			unlabelled, gone := recorded(job("unlabelled", of("3"), "1"), record, false), job("gone", of("4"), "1")
			client := fake.NewClientset(living, labelled, unlabelled)
			var want []string
			for _, j := range []*batchv1.Job{living, labelled, unlabelled, gone} {
				for phase, kept := range map[corev1.PodPhase]bool{
					corev1.PodRunning: true, corev1.PodPending: true, corev1.PodSucceeded: j == living, corev1.PodFailed: j == living,
				} {
					p := pod(j.Name+"-"+string(phase), types.UID(j.Name)+"-"+types.UID(phase), "1", j, phase)
					require.NoError(t, client.Tracker().Add(p))
					if kept {
						want = append(want, "pod "+p.Name+"/"+string(p.UID))
					}
				}
			}
			w, r := start(t, client)
			want = append(want, "job living/"+string(watch.NewJob(living).UID))
			require.ElementsMatch(t, want, r.take())
			require.Len(t, podsOf(w, watch.NewJob(living).UID), 4)
			require.Len(t, podsOf(w, watch.NewJob(gone).UID), 2)
			for _, j := range []*batchv1.Job{labelled, unlabelled} {
				_, ok := w.Job("ns", j.Name)
				require.False(t, ok)
			}
		})
	}
}

// TestPodsBeforeTheirJob: the two watches are not ordered. The cache holds a running Pod
// without its Job. It does not hold a finished one, whose state the handler receives.
func TestPodsBeforeTheirJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		w, r := start(t, client)
		jobs, pods := client.BatchV1().Jobs("ns"), client.CoreV1().Pods("ns")
		j := job("a", "j1", "1")
		for _, p := range []*corev1.Pod{pod("a-1", "p1", "1", j, corev1.PodRunning), pod("a-2", "p2", "1", j, corev1.PodSucceeded)} {
			_, err := pods.Create(t.Context(), p, metav1.CreateOptions{})
			require.NoError(t, err)
			synctest.Wait()
		}
		require.Equal(t, []string{"pod a-1/p1", "pod a-2/p2"}, r.take())
		require.Equal(t, []string{"a-1"}, podsOf(w, "j1"))
		_, err := jobs.Create(t.Context(), j, metav1.CreateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		_, err = pods.Update(t.Context(), pod("a-1", "p1", "2", j, corev1.PodSucceeded), metav1.UpdateOptions{})
		require.NoError(t, err)
		_, err = pods.Update(t.Context(), pod("a-2", "p2", "2", j, corev1.PodSucceeded), metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.ElementsMatch(t, []string{"a-1", "a-2"}, podsOf(w, "j1"), "their Job is living")
		for _, p := range w.Pods("ns", "j1") {
			require.True(t, p.Whole)
		}
		listed, err := w.ListPods(t.Context(), "ns", "j1")
		require.NoError(t, err)
		require.Len(t, listed, 2)
	})
}

// TestPodsOfAReplacedJob: the finished ones leave with the old Job.
func TestPodsOfAReplacedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := job("a", "old", "1")
		client := fake.NewClientset(j, pod("a-1", "p1", "1", j, corev1.PodSucceeded), pod("a-2", "p2", "1", j, corev1.PodRunning))
		w, _ := start(t, client)
		_, err := client.BatchV1().Jobs("ns").Update(t.Context(), job("a", "new", "2"), metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []string{"a-2"}, podsOf(w, "old"))
		_, err = client.CoreV1().Pods("ns").Update(t.Context(), pod("a-2", "p2", "2", j, corev1.PodFailed), metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, podsOf(w, "old"), "the Job of that name is another one")
	})
}

// TestRelistOfAPodWhoseJobHasLeft: the Pod has finished during the outage and still exists.
// It must not be reported as deleted, which would look like the loss of a running Pod. A
// Pod that the cache never had is left out.
func TestRelistOfAPodWhoseJobHasLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left := job("left", "j1", "1")
		client := fake.NewClientset(pod("left-1", "p1", "1", left, corev1.PodRunning), pod("left-2", "p2", "1", left, corev1.PodRunning))
		events := stream(client, "pods")
		w, r := start(t, client)
		require.Len(t, podsOf(w, "j1"), 2)
		r.take()
		gvr := corev1.SchemeGroupVersion.WithResource("pods")
		require.NoError(t, client.Tracker().Update(gvr, pod("left-1", "p1", "2", left, corev1.PodSucceeded), "ns"))
		require.NoError(t, client.Tracker().Delete(gvr, "ns", "left-2"))
		require.NoError(t, client.Tracker().Add(pod("left-3", "p3", "2", left, corev1.PodSucceeded)))
		events.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
		pass(time.Minute)
		synctest.Wait()
		require.ElementsMatch(t, []string{"pod left-1/p1", "pod deleted left-2/p2"}, r.take())
		require.Empty(t, podsOf(w, "j1"))
	})
}

// TestRelistOfARecordedJob: the Job has left the selection during the outage. The handler
// receives its last known state, and its finished Pods leave.
func TestRelistOfARecordedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := job("a", "j1", "1")
		client := fake.NewClientset(j, pod("a-1", "p1", "1", j, corev1.PodSucceeded))
		events := stream(client, "jobs")
		w, r := start(t, client)
		r.take()
		require.NoError(t, client.Tracker().Update(batchv1.SchemeGroupVersion.WithResource("jobs"), recorded(job("a", "j1", "2"), record, true), "ns"))
		events.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
		pass(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"job deleted a/j1"}, r.take())
		require.Empty(t, podsOf(w, "j1"))
	})
}

// TestTwoNamespaces: a watcher of two namespaces distinguishes objects with the same name,
// step and even UID.
func TestTwoNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := func(namespace string, j *batchv1.Job) *batchv1.Job {
			j.Namespace = namespace
			return j
		}
		var objects []runtime.Object
		for _, namespace := range []string{"one", "two"} {
			j := in(namespace, job("a", "", "1"))
			p := pod("a-1", "", "1", j, corev1.PodSucceeded)
			p.Namespace = namespace
			objects = append(objects, j, p)
		}
		client := fake.NewClientset(objects...)
		r := &recorder{}
		w := watch.New(watch.Config{
			Clientset: client, JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"), Handler: r,
		})
		require.NoError(t, w.Start(t.Context()))
		t.Cleanup(func() { require.NoError(t, w.Stop(context.Background())) })
		for _, namespace := range []string{"one", "two"} {
			got, ok := w.Job(namespace, "a")
			require.True(t, ok)
			require.Equal(t, namespace, got.Namespace)
			require.Equal(t, []*watch.Job{got}, w.Jobs(namespace, "exec", "a"))
			pods := w.Pods(namespace, got.UID)
			require.Len(t, pods, 1)
			require.Equal(t, namespace, pods[0].Namespace)
			listed, err := w.ListPods(t.Context(), namespace, got.UID)
			require.NoError(t, err)
			require.Len(t, listed, 1)
		}
		require.Empty(t, w.Pods("two", "one/a"))
		r.take()
		require.NoError(t, client.BatchV1().Jobs("one").Delete(t.Context(), "a", metav1.DeleteOptions{}))
		synctest.Wait()
		require.Equal(t, []string{"job deleted a/one/a"}, r.take())
		_, ok := w.Job("one", "a")
		require.False(t, ok)
		require.Empty(t, w.Pods("one", "one/a"))
		_, ok = w.Job("two", "a")
		require.True(t, ok)
		require.Len(t, w.Pods("two", "two/a"), 1)
	})
}
