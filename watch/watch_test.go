package watch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

func TestMain(m *testing.M) {
	// The rate limiter of the other handlers mixes real and virtual time.
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1]
	goleak.VerifyTestMain(m)
}

// recorder is a Handler that keeps the calls.
type recorder struct {
	mu    sync.Mutex
	calls []string
	pods  []*watch.Pod
	jobs  []*watch.Job
}

func (r *recorder) note(what string, name, uid string) {
	r.calls = append(r.calls, fmt.Sprintf("%s %s/%s", what, name, uid))
}

func (r *recorder) JobChanged(j *watch.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("job", j.Name, string(j.UID))
	r.jobs = append(r.jobs, j)
}

func (r *recorder) JobDeleted(j *watch.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("job deleted", j.Name, string(j.UID))
}

func (r *recorder) PodChanged(p *watch.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("pod", p.Name, string(p.UID))
	r.pods = append(r.pods, p)
}

func (r *recorder) PodDeleted(p *watch.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note("pod deleted", p.Name, string(p.UID))
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

func job(name string, uid types.UID, rv string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: name, UID: uid, ResourceVersion: rv, Labels: identity.Labels("group", "exec", name),
	}}
}

func pod(name string, uid types.UID, rv string, owner *batchv1.Job, phase corev1.PodPhase) *corev1.Pod {
	labels := identity.Labels("group", "exec", owner.Name)
	labels[batchv1.JobCompletionIndexAnnotation] = "3"
	if owner.UID != "" {
		labels[batchv1.ControllerUidLabel] = string(owner.UID)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: name, UID: uid, ResourceVersion: rv,
			Labels:          labels,
			ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: corev1.PodSpec{
			NodeName:       "node",
			Containers:     []corev1.Container{{Name: "c", Image: "i", Env: []corev1.EnvVar{{Name: "A", Value: "B"}}}},
			InitContainers: []corev1.Container{{Name: "s", Image: "i", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
			Volumes:        []corev1.Volume{{Name: "v"}},
		},
		Status: corev1.PodStatus{Phase: phase},
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// start runs a watcher on client in the test's bubble and stops it at its end.
func start(t *testing.T, client *fake.Clientset) (*watch.Watcher, *recorder) {
	t.Helper()
	r := &recorder{}
	w := watch.New(watch.Config{Clientset: client, Namespace: "ns", JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"), Handler: r})
	require.NoError(t, w.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, w.Stop(context.Background())) })
	return w, r
}

func TestHandlerSeesEveryChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := job("first", "j1", "1")
		client := fake.NewClientset(first)
		w, r := start(t, client)
		require.Equal(t, []string{"job first/j1"}, r.take(), "Start returned before the handler knew the cache's content")
		require.NoError(t, w.Healthy())

		jobs, pods := client.BatchV1().Jobs("ns"), client.CoreV1().Pods("ns")
		_, err := pods.Create(t.Context(), pod("p", "p1", "2", first, corev1.PodPending), metav1.CreateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		_, err = pods.Update(t.Context(), pod("p", "p1", "3", first, corev1.PodRunning), metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, pods.Delete(t.Context(), "p", metav1.DeleteOptions{}))
		synctest.Wait()
		require.NoError(t, jobs.Delete(t.Context(), "first", metav1.DeleteOptions{}))
		synctest.Wait()
		require.Equal(t, []string{"pod p/p1", "pod p/p1", "pod deleted p/p1", "job deleted first/j1"}, r.take())
	})
}

func TestJobReplacedUnderItsNameIsADeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(job("a", "old", "1"))
		_, r := start(t, client)
		r.take()
		_, err := client.BatchV1().Jobs("ns").Update(t.Context(), job("a", "new", "2"), metav1.UpdateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []string{"job deleted a/old", "job a/new"}, r.take())
	})
}

func TestDeletionInsideAnOutageComesAsATombstone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(job("a", "j1", "1"))
		stream := apiwatch.NewFake()
		var once sync.Once
		client.PrependWatchReactor("jobs", func(clienttesting.Action) (handled bool, w apiwatch.Interface, err error) {
			once.Do(func() { handled, w = true, stream })
			return handled, w, nil
		})
		_, r := start(t, client)
		r.take()
		require.NoError(t, client.Tracker().Delete(batchv1.SchemeGroupVersion.WithResource("jobs"), "ns", "a"))
		stream.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
		pass(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"job deleted a/j1"}, r.take())
	})
}

func TestCacheLookUps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := job("a", "j1", "1")
		j.Labels[identity.LabelStep] = "build"
		j.Annotations = map[string]string{identity.AnnotationSpecHash: "sha256:ab", "other": "dropped"}
		j.Spec.Suspend = ptr.To(true)
		j.Status.Active = 1
		w, _ := start(t, fake.NewClientset(j, pod("p", "p1", "2", j, corev1.PodRunning)))

		got, ok := w.Job("ns", "a")
		require.True(t, ok)
		require.Equal(t, "build", got.Step)
		require.Equal(t, "sha256:ab", got.SpecHash)
		require.True(t, got.Suspended)
		require.EqualValues(t, 1, got.Status.Active)
		_, ok = w.Job("ns", "b")
		require.False(t, ok)
		require.Equal(t, []*watch.Job{got}, w.Jobs("ns", "exec", "build"))
		require.Empty(t, w.Jobs("ns", "exec", "test"))
		require.Empty(t, w.Jobs("ns", "other", "build"))
		require.Len(t, w.Pods("ns", "j1"), 1)
		require.Empty(t, w.Pods("ns", "j2"))
	})
}

func TestOwnerAndDeadlineOfAJob(t *testing.T) {
	t.Parallel()
	isController := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "exec", UID: "owner", Controller: ptr.To(true)}
	noUID := isController
	noUID.UID = ""
	for name, tc := range map[string]struct {
		owners []metav1.OwnerReference
		want   types.UID
	}{
		"none":             {nil, ""},
		"no controller":    {[]metav1.OwnerReference{{Name: "exec", UID: "owner"}}, ""},
		"controller":       {[]metav1.OwnerReference{{Name: "other", UID: "other"}, isController}, "owner"},
		"of no UID (fake)": {[]metav1.OwnerReference{noUID}, "ns/exec"},
	} {
		j := job("a", "j1", "1")
		j.OwnerReferences = tc.owners
		require.Equal(t, tc.want, watch.NewJob(j).OwnerUID, name)
	}

	j := job("a", "j1", "1")
	require.Nil(t, watch.NewJob(j).Deadline)
	j.Spec.ActiveDeadlineSeconds = ptr.To[int64](60)
	got := watch.NewJob(j)
	*j.Spec.ActiveDeadlineSeconds = 1
	require.Equal(t, ptr.To[int64](60), got.Deadline, "it does not share the Job's spec")
}

func TestPodIsTrimmedUntilItIsNeeded(t *testing.T) {
	t.Parallel()
	owner := job("a", "j1", "1")
	deleting := pod("p", "p1", "1", owner, corev1.PodRunning)
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	for name, tc := range map[string]struct {
		pod   *corev1.Pod
		whole bool
	}{
		"pending":   {pod("p", "p1", "1", owner, corev1.PodPending), false},
		"running":   {pod("p", "p1", "1", owner, corev1.PodRunning), false},
		"unknown":   {pod("p", "p1", "1", owner, corev1.PodUnknown), false},
		"succeeded": {pod("p", "p1", "1", owner, corev1.PodSucceeded), true},
		"failed":    {pod("p", "p1", "1", owner, corev1.PodFailed), true},
		"deleting":  {deleting, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := tc.pod.DeepCopy()
			got := watch.NewPod(tc.pod)
			require.Equal(t, before, tc.pod, "the argument was modified")
			require.Equal(t, tc.whole, got.Whole)
			require.EqualValues(t, "j1", got.JobUID)
			require.Equal(t, tc.pod.Status, got.Object().Status)
			require.Empty(t, got.Object().ManagedFields)
			if tc.whole {
				want := tc.pod.DeepCopy()
				want.ManagedFields = nil
				require.Equal(t, want, got.Object())
				return
			}
			require.Equal(t, corev1.PodSpec{
				NodeName:       "node",
				Containers:     []corev1.Container{{Name: "c", Image: "i"}},
				InitContainers: []corev1.Container{{Name: "s", Image: "i", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
			}, got.Object().Spec)
			require.Equal(t, map[string]string{batchv1.JobCompletionIndexAnnotation: "3"}, got.Object().Labels)
		})
	}
}

// deny makes one verb on one resource fail with err.
func deny(client *fake.Clientset, verb, resource string, err error) {
	if verb == "watch" {
		client.PrependWatchReactor(resource, func(clienttesting.Action) (bool, apiwatch.Interface, error) { return true, nil, err })
		return
	}
	client.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
}
