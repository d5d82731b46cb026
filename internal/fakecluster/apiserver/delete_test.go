package apiserver

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

func getPod(t testing.TB, c kubernetes.Interface, name string) *corev1.Pod {
	t.Helper()
	pod, err := c.CoreV1().Pods(testNamespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return pod
}

func requireNoPod(t testing.TB, c kubernetes.Interface, name string) {
	t.Helper()
	_, err := c.CoreV1().Pods(testNamespace).Get(t.Context(), name, metav1.GetOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound)
}

func TestDeletePreconditions(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	job := createJob(t, c, testJob("a"))
	jobs := c.BatchV1().Jobs(testNamespace)
	background := metav1.DeletePropagationBackground
	err := jobs.Delete(t.Context(), "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(types.UID("x"))}, PropagationPolicy: &background})
	requireReason(t, err, metav1.StatusReasonConflict, "the UID in the precondition (x) does not match")
	err = jobs.Delete(t.Context(), "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: ptr.To("1")}, PropagationPolicy: &background})
	requireReason(t, err, metav1.StatusReasonConflict, "ResourceVersion in the precondition")
	require.NoError(t, jobs.Delete(t.Context(), "a", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}, PropagationPolicy: &background}))
	require.NoError(t, jobs.Delete(t.Context(), "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &job.UID, ResourceVersion: &job.ResourceVersion}, PropagationPolicy: &background}))
	requireReason(t, jobs.Delete(t.Context(), "a", metav1.DeleteOptions{}), metav1.StatusReasonNotFound)
}

func TestJobPropagation(t *testing.T) {
	t.Parallel()
	background, foreground, orphan := metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan
	for _, tc := range []struct {
		name string
		opts metav1.DeleteOptions
		want []string // finalizers; nil: gone
	}{
		{"background", metav1.DeleteOptions{PropagationPolicy: &background}, nil},
		{"foreground", metav1.DeleteOptions{PropagationPolicy: &foreground}, []string{metav1.FinalizerDeleteDependents}},
		{"orphan", metav1.DeleteOptions{PropagationPolicy: &orphan}, []string{metav1.FinalizerOrphanDependents}},
		{"batch/v1 default", metav1.DeleteOptions{}, []string{metav1.FinalizerOrphanDependents}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, c := newServer(t)
			createJob(t, c, testJob("a"))
			jobs := c.BatchV1().Jobs(testNamespace)
			require.NoError(t, jobs.Delete(t.Context(), "a", tc.opts))
			job, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
			if tc.want == nil {
				requireReason(t, err, metav1.StatusReasonNotFound)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, job.Finalizers)
			require.NotNil(t, job.DeletionTimestamp)
			require.Equal(t, int64(0), *job.DeletionGracePeriodSeconds)
			require.Equal(t, int64(2), job.Generation)

			_, err = jobs.Create(t.Context(), testJob("a"), metav1.CreateOptions{})
			requireReason(t, err, metav1.StatusReasonAlreadyExists, "object is being deleted")
			withNew := job.DeepCopy()
			withNew.Finalizers = append(withNew.Finalizers, "example.org/late")
			_, err = jobs.Update(t.Context(), withNew, metav1.UpdateOptions{})
			requireReason(t, err, metav1.StatusReasonInvalid, "no new finalizers can be added if the object is being deleted")

			// As the garbage collector does at the end.
			_, err = jobs.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			require.NoError(t, err)
			_, err = jobs.Get(t.Context(), "a", metav1.GetOptions{})
			requireReason(t, err, metav1.StatusReasonNotFound)
		})
	}
}

func TestUnscheduledOrEndedPodGoesAtOnce(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	pods := c.CoreV1().Pods(testNamespace)
	w := openPods(t, c, metav1.ListOptions{})
	createPod(t, c, testPod("a"))
	requireObject(t, nextEvent(t, w), watch.Added, "a")
	require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	marked := requireObject(t, nextEvent(t, w), watch.Modified, "a")
	require.NotNil(t, marked.GetDeletionTimestamp())
	final := requireObject(t, nextEvent(t, w), watch.Deleted, "a")
	require.Greater(t, final.GetResourceVersion(), marked.GetResourceVersion())
	requireNoPod(t, c, "a")

	createPod(t, c, testPod("b"))
	bindPod(t, c, "b")
	_, err := pods.Patch(t.Context(), "b", types.MergePatchType, []byte(`{"status":{"phase":"Failed"}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	require.NoError(t, pods.Delete(t.Context(), "b", metav1.DeleteOptions{}))
	requireNoPod(t, c, "b")
}

func TestRunningPodIsDeletedGracefully(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		pods := c.CoreV1().Pods(testNamespace)
		pod := testPod("a")
		pod.Finalizers = []string{"batch.kubernetes.io/job-tracking"}
		createPod(t, c, pod)
		bindPod(t, c, "a")
		begin := time.Now()
		require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{}))
		got := getPod(t, c, "a")
		require.Equal(t, begin.Add(30*time.Second).Unix(), got.DeletionTimestamp.Unix())
		require.Equal(t, int64(30), *got.DeletionGracePeriodSeconds)

		at := s.ResourceVersion()
		require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{}))
		require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](60)}))
		require.Equal(t, at, s.ResourceVersion(), "the period can only be shortened")
		require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](10)}))
		got = getPod(t, c, "a")
		require.Equal(t, begin.Add(10*time.Second).Unix(), got.DeletionTimestamp.Unix())

		// The kubelet removes the pod, but the finalizer still holds it.
		<-time.After(3 * time.Second)
		require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}))
		got = getPod(t, c, "a")
		require.Equal(t, int64(0), *got.DeletionGracePeriodSeconds)
		_, err := pods.Patch(t.Context(), "a", types.StrategicMergePatchType,
			[]byte(`{"metadata":{"$deleteFromPrimitiveList/finalizers":["batch.kubernetes.io/job-tracking"]}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		requireNoPod(t, c, "a")
	})
}

func TestFinalizerGoneBeforeGraceIsOverKeepsThePod(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	pods := c.CoreV1().Pods(testNamespace)
	pod := testPod("a")
	pod.Finalizers = []string{"batch.kubernetes.io/job-tracking"}
	createPod(t, c, pod)
	bindPod(t, c, "a")
	require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	_, err := pods.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(30), *getPod(t, c, "a").DeletionGracePeriodSeconds)

	w := openPods(t, c, metav1.ListOptions{ResourceVersion: getPod(t, c, "a").ResourceVersion})
	require.NoError(t, pods.Delete(t.Context(), "a", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}))
	requireObject(t, nextEvent(t, w), watch.Modified, "a")
	requireObject(t, nextEvent(t, w), watch.Deleted, "a")
}

func TestDeleteCollection(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	for _, name := range []string{"a", "b", "c"} {
		createPod(t, c, testPod(name))
	}
	err := c.CoreV1().Pods(testNamespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app!=b"})
	require.NoError(t, err)
	list, err := c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.Equal(t, "b", list.Items[0].Name)
	require.Equal(t, 1, s.Stats().Count("", "deletecollection", "pods"))
	require.Zero(t, s.Stats().Count("", "delete", "pods"))
}

func TestEviction(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	pod := createPod(t, c, testPod("a"))
	bindPod(t, c, "a")
	pods := c.CoreV1().Pods(testNamespace)
	evict := func(opts *metav1.DeleteOptions) error {
		return pods.EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: testNamespace}, DeleteOptions: opts})
	}
	requireReason(t, evict(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(types.UID("x"))}}), metav1.StatusReasonConflict)
	require.NoError(t, evict(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID, ResourceVersion: ptr.To(getPod(t, c, "a").ResourceVersion)}}))
	got := getPod(t, c, "a")
	require.NotNil(t, got.DeletionTimestamp)
	found := false
	for _, cond := range got.Status.Conditions {
		if cond.Type == corev1.DisruptionTarget {
			found = true
			require.Equal(t, corev1.ConditionTrue, cond.Status)
			require.Equal(t, "EvictionByEvictionAPI", cond.Reason)
		}
	}
	require.True(t, found)
	require.Equal(t, 2, s.Stats().Count("", "create", "pods/eviction"))
	err := pods.EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "nobody"}})
	requireReason(t, err, metav1.StatusReasonNotFound)
}

func TestBind(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	createPod(t, c, testPod("a"))
	bindPod(t, c, "a")
	pod := getPod(t, c, "a")
	require.Equal(t, "node-1", pod.Spec.NodeName)
	require.Equal(t, corev1.PodScheduled, pod.Status.Conditions[0].Type)
	require.Equal(t, int64(1), pod.Generation)
	err := c.CoreV1().Pods(testNamespace).Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: "a"}, Target: corev1.ObjectReference{Name: "node-2"}}, metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonConflict, `already assigned to node "node-1"`)
}

func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	_, c := newServer(t, Options{RequireNamespaces: true})
	ns, err := c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: testNamespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.NamespaceActive, ns.Status.Phase)
	require.Equal(t, testNamespace, ns.Labels["kubernetes.io/metadata.name"])
	createJob(t, c, testJob("a"))
	_, err = c.BatchV1().Jobs("nowhere").Create(t.Context(), testJob("a"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound, `namespaces "nowhere" not found`)

	require.NoError(t, c.CoreV1().Namespaces().Delete(t.Context(), testNamespace, metav1.DeleteOptions{}))
	ns, err = c.CoreV1().Namespaces().Get(t.Context(), testNamespace, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.NamespaceTerminating, ns.Status.Phase)
	_, err = c.BatchV1().Jobs(testNamespace).Create(t.Context(), testJob("b"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, `jobs.batch "b" is forbidden: unable to create new content in namespace work because it is being terminated`)
	_, err = c.BatchV1().Jobs(testNamespace).Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err, "the namespace controller deletes the content")

	ns.Spec.Finalizers = nil
	_, err = c.CoreV1().Namespaces().Finalize(t.Context(), ns, metav1.UpdateOptions{})
	require.NoError(t, err)
	_, err = c.CoreV1().Namespaces().Get(t.Context(), testNamespace, metav1.GetOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound)
}

// TestGraceThatIsOver: a shorter period that would already have ended is set to one
// second, so that the kubelet still removes the pod.
func TestGraceThatIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		createPod(t, c, testPod("a"))
		bindPod(t, c, "a")
		require.NoError(t, c.CoreV1().Pods(testNamespace).Delete(t.Context(), "a", metav1.DeleteOptions{}))
		<-time.After(20 * time.Second)
		require.NoError(t, c.CoreV1().Pods(testNamespace).Delete(t.Context(), "a", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](5)}))
		pod := getPod(t, c, "a")
		require.Equal(t, int64(1), *pod.DeletionGracePeriodSeconds)
		require.Equal(t, time.Now().Unix(), pod.DeletionTimestamp.Unix())
	})
}

// TestEvictionIsAdmittedOnce: the writes of an eviction to the pod are not admitted again.
func TestEvictionIsAdmittedOnce(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	createPod(t, c, testPod("a"))
	bindPod(t, c, "a")
	var seen []string
	defer s.AddAdmission(func(_ context.Context, a *Attributes) error {
		seen = append(seen, a.Verb+" "+a.Resource)
		return nil
	})()
	require.NoError(t, c.CoreV1().Pods(testNamespace).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "a"}}))
	require.Equal(t, []string{"create pods/eviction"}, seen)
}

func TestDeletionTimestampIsTheServers(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	in := testJob("a")
	in.DeletionTimestamp, in.Finalizers = ptr.To(metav1.Now()), []string{"example.org/x"}
	job := createJob(t, c, in)
	require.Nil(t, job.DeletionTimestamp)
	jobs := c.BatchV1().Jobs(testNamespace)
	job.DeletionTimestamp = ptr.To(metav1.Now())
	_, err := jobs.Update(t.Context(), job, metav1.UpdateOptions{})
	requireReason(t, err, metav1.StatusReasonInvalid, "metadata.deletionTimestamp")
	require.NoError(t, jobs.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	job.DeletionTimestamp, job.ResourceVersion = nil, ""
	job.Finalizers = append(job.Finalizers, metav1.FinalizerOrphanDependents)
	job.Annotations = map[string]string{"k": "v"}
	job, err = jobs.Update(t.Context(), job, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NotNil(t, job.DeletionTimestamp)
	require.Equal(t, "v", job.Annotations["k"])
}

// TestBindOfAPodThatIsSaidToBeScheduled: only the node's name changes.
func TestBindOfAPodThatIsSaidToBeScheduled(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	createPod(t, c, testPod("a"))
	_, err := c.CoreV1().Pods(testNamespace).Patch(t.Context(), "a", types.MergePatchType,
		[]byte(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"X","name":"x","uid":"u"}]},"status":{"conditions":[{"type":"PodScheduled","status":"True"}]}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	require.Empty(t, getPod(t, c, "a").OwnerReferences, "the status subresource cannot touch them")
	bindPod(t, c, "a")
	require.Equal(t, "node-1", getPod(t, c, "a").Spec.NodeName)
}

// TestDeleteOptionsOfEachGroup: clients send the options of different groups.
func TestDeleteOptionsOfEachGroup(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	for i, version := range []string{"v1", "meta.k8s.io/v1", "batch/v1"} {
		name := fmt.Sprintf("job-%d", i)
		createJob(t, c, testJob(name))
		code, body := send(t, s, "DELETE", "/apis/batch/v1/namespaces/work/jobs/"+name, "application/json",
			`{"kind":"DeleteOptions","apiVersion":"`+version+`","propagationPolicy":"Foreground"}`)
		require.Equal(t, 200, code, body)
		require.Contains(t, body, metav1.FinalizerDeleteDependents)
	}

	// Those of its own group are what controller-runtime sends for a custom resource.
	custom, client := newCustomServer(t)
	_, err := client.Resource(executionsGVR).Namespace(testNamespace).Create(t.Context(), execution("a"), metav1.CreateOptions{})
	require.NoError(t, err)
	code, body := send(t, custom, "DELETE", "/apis/example.com/v1/namespaces/"+testNamespace+"/executions/a", "application/json",
		`{"kind":"DeleteOptions","apiVersion":"example.com/v1","propagationPolicy":"Foreground"}`)
	require.Equal(t, 200, code, body)
	require.Contains(t, body, metav1.FinalizerDeleteDependents)
}
