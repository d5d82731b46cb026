package apiserver

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func TestCreateFillsSystemFields(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	before := time.Now().Truncate(time.Second)
	in := testJob("a")
	a := createJob(t, c, in)
	b := createPod(t, c, testPod("b"))

	require.Empty(t, in.UID, "the caller's object is left alone")
	require.Len(t, string(a.UID), 36)
	require.NotEqual(t, a.UID, b.UID)
	require.Equal(t, int64(1), a.Generation)
	require.Equal(t, testNamespace, a.Namespace)
	require.False(t, a.CreationTimestamp.Time.Before(before))
	require.Zero(t, a.CreationTimestamp.Nanosecond())
	// One counter for all types.
	ra, err := strconv.Atoi(a.ResourceVersion)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(ra+1), b.ResourceVersion)
	require.Equal(t, b.ResourceVersion, s.ResourceVersion())

	_, err = c.BatchV1().Jobs(testNamespace).Create(t.Context(), testJob("a"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonAlreadyExists, `jobs.batch "a" already exists`)

	again := createJob(t, New(Options{}).Clientset(), testJob("a"))
	require.Equal(t, a.UID, again.UID, "the same requests give the same UIDs")
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)

	versioned := testJob("a")
	versioned.ResourceVersion = "1"
	_, err := jobs.Create(t.Context(), versioned, metav1.CreateOptions{})
	require.ErrorContains(t, err, "resourceVersion should not be set on objects to be created")

	elsewhere := testJob("a")
	elsewhere.Namespace = "other"
	_, err = jobs.Create(t.Context(), elsewhere, metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonBadRequest, "does not match the namespace sent on the request")
}

func TestGenerateName(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	seen := map[string]bool{}
	for range 50 {
		job := testJob("")
		job.GenerateName = "run-"
		out := createJob(t, c, job)
		require.Regexp(t, `^run-[bcdfghjklmnpqrstvwxz2456789]{5}$`, out.Name)
		require.Equal(t, out.Name, out.Spec.Template.Labels["job-name"])
		require.False(t, seen[out.Name])
		seen[out.Name] = true
	}
	pod := testPod("")
	pod.GenerateName = "a-prefix-that-is-much-longer-than-what-fits-into-a-label-of-kubernetes-"
	require.Len(t, createPod(t, c, pod).Name, 63)
}

func TestDryRunCreateStoresNothing(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	at := s.ResourceVersion()
	out, err := c.BatchV1().Jobs(testNamespace).Create(t.Context(), testJob("a"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.NoError(t, err)
	require.NotNil(t, out.Spec.BackoffLimit)
	require.Equal(t, at, s.ResourceVersion())
	_, err = c.BatchV1().Jobs(testNamespace).Get(t.Context(), "a", metav1.GetOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound, `jobs.batch "a" not found`)
}

func TestObjectsAreCopies(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)
	out := createJob(t, c, testJob("a"))
	out.Labels["app"] = "spoilt"
	got, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "a", got.Labels["app"])
	got.Labels["app"] = "spoilt"
	list, err := jobs.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, "a", list.Items[0].Labels["app"])
}

func TestUpdateOptimisticLock(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)
	first := createJob(t, c, testJob("a"))

	next := first.DeepCopy()
	next.Spec.Parallelism = ptr.To[int32](3)
	second, err := jobs.Update(t.Context(), next, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(2), second.Generation, "the spec changed")
	require.NotEqual(t, first.ResourceVersion, second.ResourceVersion)

	_, err = jobs.Update(t.Context(), next, metav1.UpdateOptions{})
	requireReason(t, err, metav1.StatusReasonConflict, staleMessage)

	blind := next.DeepCopy()
	blind.ResourceVersion = ""
	blind.Annotations = map[string]string{"k": "v"}
	third, err := jobs.Update(t.Context(), blind, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(2), third.Generation, "an annotation is not the spec")

	other := third.DeepCopy()
	other.UID = "another"
	_, err = jobs.Update(t.Context(), other, metav1.UpdateOptions{})
	requireReason(t, err, metav1.StatusReasonConflict, "UID in precondition: another")

	_, err = jobs.Update(t.Context(), testJob("nobody"), metav1.UpdateOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound)
}

func TestNoOpWriteMakesNoVersion(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	job := createJob(t, c, testJob("a"))
	at := s.ResourceVersion()
	out, err := c.BatchV1().Jobs(testNamespace).Update(t.Context(), job, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, job.ResourceVersion, out.ResourceVersion)
	_, err = c.BatchV1().Jobs(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"labels":{"app":"a"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Equal(t, at, s.ResourceVersion())
}

func TestStatusIsApart(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	pods := c.CoreV1().Pods(testNamespace)
	pod := createPod(t, c, testPod("a"))
	require.Equal(t, corev1.PodPending, pod.Status.Phase)

	both := pod.DeepCopy()
	both.Status.Phase = corev1.PodRunning
	both.Spec.Containers[0].Image = "example.org/other:1"
	both.Labels["x"] = "y"
	out, err := pods.UpdateStatus(t.Context(), both, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.PodRunning, out.Status.Phase)
	require.Equal(t, "example.org/tool:1", out.Spec.Containers[0].Image)
	require.Equal(t, int64(1), out.Generation)

	both = out.DeepCopy()
	both.Status.Phase = corev1.PodFailed
	both.Spec.Containers[0].Image = "example.org/other:1"
	out, err = pods.Update(t.Context(), both, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.PodRunning, out.Status.Phase)
	require.Equal(t, "example.org/other:1", out.Spec.Containers[0].Image)
	require.Equal(t, int64(2), out.Generation)

	out, err = pods.Patch(t.Context(), "a", types.StrategicMergePatchType,
		[]byte(`{"status":{"phase":"Succeeded","conditions":[{"type":"Ready","status":"False"}]},"spec":{"nodeName":"n"}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	require.Equal(t, corev1.PodSucceeded, out.Status.Phase)
	require.Len(t, out.Status.Conditions, 1)
	require.Empty(t, out.Spec.NodeName)
}

func TestListSelectorsAndPaging(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	for i := range 5 {
		createPod(t, c, testPod(fmt.Sprintf("p-%d", i)))
	}
	bindPod(t, c, "p-3")
	elsewhere := testPod("p-0")
	_, err := c.CoreV1().Pods("other").Create(t.Context(), elsewhere, metav1.CreateOptions{})
	require.NoError(t, err)
	names := func(ns string, o metav1.ListOptions) []string {
		list, err := c.CoreV1().Pods(ns).List(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, s.ResourceVersion(), list.ResourceVersion)
		out := []string{}
		for _, p := range list.Items {
			out = append(out, p.Namespace+"/"+p.Name)
		}
		return out
	}
	require.Len(t, names("", metav1.ListOptions{}), 6)
	require.Equal(t, []string{"work/p-1", "work/p-2"}, names(testNamespace, metav1.ListOptions{LabelSelector: "app in (p-1,p-2)"}))
	require.Equal(t, []string{"work/p-3"}, names("", metav1.ListOptions{FieldSelector: "spec.nodeName=node-1"}))
	require.Equal(t, []string{"other/p-0"}, names("", metav1.ListOptions{FieldSelector: "metadata.name=p-0,metadata.namespace!=work"}))
	require.Empty(t, names("", metav1.ListOptions{FieldSelector: "status.phase=Running"}))
	_, err = c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{FieldSelector: "spec.hostname=x"})
	requireReason(t, err, metav1.StatusReasonBadRequest, "field label not supported")
	_, err = c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{LabelSelector: "a=b=c"})
	requireReason(t, err, metav1.StatusReasonBadRequest)

	first, err := c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{Limit: 4})
	require.NoError(t, err)
	require.Len(t, first.Items, 4)
	require.Equal(t, int64(2), *first.RemainingItemCount)
	createPod(t, c, testPod("p-9")) // not in the pages that are still to come
	rest, err := c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{Limit: 4, Continue: first.Continue})
	require.NoError(t, err)
	require.Len(t, rest.Items, 2)
	require.Empty(t, rest.Continue)
	require.Equal(t, first.ResourceVersion, rest.ResourceVersion)
	whole, err := c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{Limit: 1, ResourceVersion: "0"})
	require.NoError(t, err)
	require.Len(t, whole.Items, 7, "the watch cache does not page")
	for range maxPages {
		first, err = c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{Limit: 4})
		require.NoError(t, err)
	}
	require.Len(t, s.pages, maxPages)
	s.CompactHistory()
	_, err = c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{Limit: 4, Continue: first.Continue})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
}

// TestListOfTheFuture: client-go sends the request again as the answer asks for.
func TestListOfTheFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := newServer(t)
		_, err := c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{ResourceVersion: "999999"})
		require.True(t, apierrors.IsTimeout(err), "%v", err)
		require.True(t, apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge))
		require.Equal(t, 11, s.Stats().Count("", "list", "pods"))
	})
}

// TestConcurrentWritersLoseNothing: concurrent patches are applied to the latest state;
// an update with a stale version is a conflict.
func TestConcurrentWritersLoseNothing(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)
	createJob(t, c, testJob("a"))
	const writers = 40
	var wg sync.WaitGroup
	var conflicts atomic.Int64
	for i := range writers {
		wg.Go(func() {
			_, err := jobs.Patch(t.Context(), "a", types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"w-%d":"x"}}}`, i), metav1.PatchOptions{})
			if err != nil {
				t.Error(err)
			}
			for {
				job, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				job.Status.Failed++
				_, err = jobs.UpdateStatus(t.Context(), job, metav1.UpdateOptions{})
				if err == nil {
					return
				}
				if !apierrors.IsConflict(err) {
					t.Error(err)
					return
				}
				conflicts.Add(1)
			}
		})
	}
	wg.Wait()
	job, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, job.Annotations, writers)
	require.Equal(t, int32(writers), job.Status.Failed)
	t.Log(conflicts.Load(), "conflicts")
}
