package apiserver

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

func openPods(t testing.TB, c kubernetes.Interface, opts metav1.ListOptions) watch.Interface {
	t.Helper()
	w, err := c.CoreV1().Pods(testNamespace).Watch(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	return w
}

func label(t testing.TB, c kubernetes.Interface, name, value string) *corev1.Pod {
	t.Helper()
	pod, err := c.CoreV1().Pods(testNamespace).Patch(t.Context(), name, types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"labels":{"app":%q}}}`, value), metav1.PatchOptions{})
	require.NoError(t, err)
	return pod
}

// TestWatchSelects: an object that starts to match is ADDED, one that stops is
// DELETED with its last matching state and the resource version of the change.
func TestWatchSelects(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	w := openPods(t, c, metav1.ListOptions{LabelSelector: "app=in"})
	createPod(t, c, testPod("a"))
	label(t, c, "a", "in")
	requireObject(t, nextEvent(t, w), watch.Added, "a")
	_, err := c.CoreV1().Pods(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"annotations":{"x":"y"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	requireObject(t, nextEvent(t, w), watch.Modified, "a")
	left := label(t, c, "a", "out")
	gone := requireObject(t, nextEvent(t, w), watch.Deleted, "a")
	require.Equal(t, left.ResourceVersion, gone.GetResourceVersion())
	require.Equal(t, "in", gone.GetLabels()["app"])
	label(t, c, "a", "in")
	requireObject(t, nextEvent(t, w), watch.Added, "a")
}

// TestAbsentLabelSelects: "!done" selects the objects without the label, in LIST and
// WATCH. An object that gets the label is DELETED for the watch: with the content
// from before and the resource version of the change, as the real watch cache sends it.
func TestAbsentLabelSelects(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)
	done := testJob("done")
	done.Labels["done"] = "yes"
	createJob(t, c, done)
	createJob(t, c, testJob("a"))
	opts := metav1.ListOptions{LabelSelector: "!done"}
	names := func() (found []string) {
		list, err := jobs.List(t.Context(), opts)
		require.NoError(t, err)
		for _, job := range list.Items {
			found = append(found, job.Name)
		}
		return found
	}
	require.Equal(t, []string{"a"}, names())
	w, err := jobs.Watch(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	requireObject(t, nextEvent(t, w), watch.Added, "a")
	patch := func(body string) *batchv1.Job {
		job, err := jobs.Patch(t.Context(), "a", types.MergePatchType, []byte(body), metav1.PatchOptions{})
		require.NoError(t, err)
		return job
	}
	marked := patch(`{"metadata":{"labels":{"done":"yes"},"annotations":{"result":"1"}}}`)
	gone := requireObject(t, nextEvent(t, w), watch.Deleted, "a")
	require.NotContains(t, gone.GetLabels(), "done")
	require.NotContains(t, gone.GetAnnotations(), "result")
	require.Equal(t, marked.ResourceVersion, gone.GetResourceVersion())
	require.Empty(t, names())
	patch(`{"metadata":{"annotations":{"result":"2"}}}`) // unseen
	back := patch(`{"metadata":{"labels":{"done":null}}}`)
	again := requireObject(t, nextEvent(t, w), watch.Added, "a")
	require.Equal(t, back.ResourceVersion, again.GetResourceVersion())
	require.Equal(t, "2", again.GetAnnotations()["result"])
	require.NoError(t, jobs.Delete(t.Context(), "done", metav1.DeleteOptions{}))
	require.NoError(t, jobs.Delete(t.Context(), "a", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}))
	requireObject(t, nextEvent(t, w), watch.Deleted, "a")
}

func TestWatchFieldsAndNamespace(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	w := openPods(t, c, metav1.ListOptions{FieldSelector: "spec.nodeName=node-1"})
	_, err := c.CoreV1().Pods("other").Create(t.Context(), testPod("a"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, c.CoreV1().Pods("other").Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: "a"}, Target: corev1.ObjectReference{Name: "node-1"}}, metav1.CreateOptions{}))
	createPod(t, c, testPod("b"))
	bindPod(t, c, "b")
	requireObject(t, nextEvent(t, w), watch.Added, "b")
}

func TestWatchReplaysHistory(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	createPod(t, c, testPod("before"))
	list, err := c.CoreV1().Pods(testNamespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	createPod(t, c, testPod("a"))
	label(t, c, "a", "x")
	require.NoError(t, c.CoreV1().Pods(testNamespace).Delete(t.Context(), "a", metav1.DeleteOptions{}))
	w := openPods(t, c, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	last := uint64(0)
	// The deletion is two changes: the mark and the removal.
	for _, kind := range []watch.EventType{watch.Added, watch.Modified, watch.Modified, watch.Deleted} {
		o := requireObject(t, nextEvent(t, w), kind, "a")
		rv, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
		require.NoError(t, err)
		require.Greater(t, rv, last)
		last = rv
	}
	require.Equal(t, s.ResourceVersion(), formatRV(last))

	all := openPods(t, c, metav1.ListOptions{})
	requireObject(t, nextEvent(t, all), watch.Added, "before")
}

func requireGone(t testing.TB, w watch.Interface) {
	t.Helper()
	ev := nextEvent(t, w)
	require.Equal(t, watch.Error, ev.Type)
	require.True(t, apierrors.IsResourceExpired(apierrors.FromObject(ev.Object)), "%v", ev.Object)
	_, open := <-w.ResultChan()
	require.False(t, open, "an ERROR event is the last one")
}

func TestWatchExpires(t *testing.T) {
	t.Parallel()
	s, c := newServer(t, Options{HistorySize: 10})
	start := createPod(t, c, testPod("first")).ResourceVersion
	for i := range 25 {
		label(t, c, "first", fmt.Sprint(i))
	}
	requireGone(t, openPods(t, c, metav1.ListOptions{ResourceVersion: start}))

	recent := s.ResourceVersion()
	label(t, c, "first", "again")
	open := openPods(t, c, metav1.ListOptions{ResourceVersion: recent})
	requireObject(t, nextEvent(t, open), watch.Modified, "first")
	require.Equal(t, 1, s.ExpireWatches(WatchMatch{Resource: "pods"}))
	requireGone(t, open)

	s.CompactHistory()
	s.SetExpiredAtStart(true)
	_, err := c.CoreV1().Pods(testNamespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: recent})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
}

// TestWatchList checks KEP-3157: the state as events, then a marked bookmark.
func TestWatchList(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	createPod(t, c, testPod("a"))
	createPod(t, c, testPod("b"))
	_, err := c.CoreV1().Pods(testNamespace).Watch(t.Context(), metav1.ListOptions{SendInitialEvents: ptr.To(true)})
	requireReason(t, err, metav1.StatusReasonInvalid, "resourceVersionMatch")
	w := openPods(t, c, metav1.ListOptions{
		SendInitialEvents: ptr.To(true), AllowWatchBookmarks: true, LabelSelector: "app=b",
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	requireObject(t, nextEvent(t, w), watch.Added, "b")
	mark := nextEvent(t, w)
	require.Equal(t, watch.Bookmark, mark.Type)
	pod := mark.Object.(*corev1.Pod)
	require.Equal(t, "true", pod.Annotations[metav1.InitialEventsAnnotationKey])
	require.Equal(t, s.ResourceVersion(), pod.ResourceVersion)
}

func TestWatchBookmarksAndTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		begin := time.Now()
		w, err := c.CoreV1().Pods(testNamespace).Watch(t.Context(), metav1.ListOptions{
			AllowWatchBookmarks: true, TimeoutSeconds: ptr.To[int64](150), ResourceVersion: s.ResourceVersion()})
		require.NoError(t, err)
		createJob(t, c, testJob("another-type"))
		for _, at := range []time.Duration{time.Minute, 2 * time.Minute, 150 * time.Second} {
			ev := <-w.ResultChan()
			require.Equal(t, watch.Bookmark, ev.Type)
			require.Equal(t, at, time.Since(begin))
			require.Equal(t, s.ResourceVersion(), ev.Object.(*corev1.Pod).ResourceVersion)
		}
		_, open := <-w.ResultChan()
		require.False(t, open)
		synctest.Wait()
		require.Zero(t, s.Stats().Active("", ""))
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		c := s.Clientset()
		ctx, cancel := context.WithCancel(t.Context())
		byContext, err := c.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		byStop, err := c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		byClose, err := c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Equal(t, 3, s.Stats().Active(DefaultUser, "pods"))
		cancel()
		synctest.Wait()
		ev := <-byContext.ResultChan()
		require.Equal(t, watch.Error, ev.Type)
		require.ErrorContains(t, apierrors.FromObject(ev.Object), "context canceled")
		_, open := <-byContext.ResultChan()
		require.False(t, open)
		byStop.Stop()
		byStop.Stop()
		synctest.Wait()
		_, open = <-byStop.ResultChan()
		require.False(t, open)
		require.Equal(t, 1, s.Stats().Active(DefaultUser, "pods"))
		s.Close()
		_, open = <-byClose.ResultChan()
		require.False(t, open)
		require.Zero(t, s.Stats().Active("", ""))
		require.Equal(t, 3, s.Stats().Opened("", "pods"))
		_, err = c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		requireReason(t, err, metav1.StatusReasonServiceUnavailable)
	})
}

// TestSlowWatcherHindersNobody: 5,000 events are queued for a client that does not read,
// and are delivered in order when it does.
func TestSlowWatcherHindersNobody(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	w := openPods(t, c, metav1.ListOptions{})
	const n = 5000
	var writers sync.WaitGroup
	for g := range 10 {
		writers.Go(func() {
			for i := range n / 10 {
				_, err := c.CoreV1().Pods(testNamespace).Create(t.Context(), testPod(fmt.Sprintf("p-%d-%d", g, i)), metav1.CreateOptions{})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	last := uint64(0)
	for range n {
		ev := nextEvent(t, w)
		require.Equal(t, watch.Added, ev.Type)
		rv, err := strconv.ParseUint(ev.Object.(*corev1.Pod).ResourceVersion, 10, 64)
		require.NoError(t, err)
		require.Greater(t, rv, last)
		last = rv
	}
}

func TestCutAndStallWatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		system, err := s.ClientsetAs("system:kubelet").CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		w, err := c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{AllowWatchBookmarks: true, TimeoutSeconds: ptr.To[int64](90)})
		require.NoError(t, err)
		defer w.Stop()
		synctest.Wait()

		require.Equal(t, 1, s.StallWatches(WatchMatch{}))
		createPod(t, c, testPod("a"))
		requireObject(t, nextEvent(t, system), watch.Added, "a")
		<-time.After(time.Hour)
		synctest.Wait()
		select {
		case ev, open := <-w.ResultChan():
			require.Fail(t, "a stalled watch is silent", "%v %v", ev, open)
		default:
		}
		require.Equal(t, 1, s.ResumeWatches(WatchMatch{}))
		requireObject(t, nextEvent(t, w), watch.Added, "a")

		w2, err := c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{ResourceVersion: s.ResourceVersion()})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, s.CutWatches(WatchMatch{Resource: "pods"}))
		_, open := <-w2.ResultChan()
		require.False(t, open)
		require.Equal(t, 1, s.Stats().Active("system:kubelet", "pods"))
	})
}

func TestWatchHookDropsAndDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		s.SetWatchHook(func(w WatchInfo, ev watch.Event) (bool, time.Duration) {
			if w.Resource != "pods" {
				return true, 0
			}
			return ev.Object.(*corev1.Pod).Name != "dropped", 5 * time.Second
		})
		w, err := c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		begin := time.Now()
		createPod(t, c, testPod("dropped"))
		createPod(t, c, testPod("kept"))
		requireObject(t, nextEvent(t, w), watch.Added, "kept")
		require.Equal(t, 5*time.Second, time.Since(begin))
		s.SetWatchHook(nil)
		createPod(t, c, testPod("late"))
		requireObject(t, nextEvent(t, w), watch.Added, "late")
	})
}
