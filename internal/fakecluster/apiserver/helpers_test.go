package apiserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

const testNamespace = "work"

// newServer returns a server that is closed with the test, and its client.
func newServer(t testing.TB, opts ...Options) (*Server, kubernetes.Interface) {
	t.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	s := New(o)
	t.Cleanup(s.Close)
	return s, s.Clientset()
}

func testJob(name string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: testPodSpec()}},
	}
}

func testPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec:       testPodSpec(),
	}
}

func testPodSpec() corev1.PodSpec {
	return corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "main", Image: "example.org/tool:1"}},
	}
}

func createJob(t testing.TB, c kubernetes.Interface, job *batchv1.Job) *batchv1.Job {
	t.Helper()
	out, err := c.BatchV1().Jobs(testNamespace).Create(t.Context(), job, metav1.CreateOptions{})
	require.NoError(t, err)
	return out
}

func createPod(t testing.TB, c kubernetes.Interface, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	out, err := c.CoreV1().Pods(testNamespace).Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	return out
}

// bindPod binds the pod to a node.
func bindPod(t testing.TB, c kubernetes.Interface, name string) {
	t.Helper()
	require.NoError(t, c.CoreV1().Pods(testNamespace).Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Target: corev1.ObjectReference{Kind: "Node", Name: "node-1"},
	}, metav1.CreateOptions{}))
}

// nextEvent waits for one event.
func nextEvent(t testing.TB, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case ev, ok := <-w.ResultChan():
		require.True(t, ok, "the watch has ended")
		return ev
	case <-time.After(10 * time.Second):
		require.FailNow(t, "no event within 10 s")
		return watch.Event{}
	}
}

// requireObject checks the type of an event and the name of its object.
func requireObject(t testing.TB, ev watch.Event, kind watch.EventType, name string) metav1.Object {
	t.Helper()
	require.Equal(t, kind, ev.Type, "%v", ev.Object)
	o, ok := ev.Object.(metav1.Object)
	require.True(t, ok)
	require.Equal(t, name, o.GetName())
	return o
}

func requireReason(t testing.TB, err error, reason metav1.StatusReason, parts ...string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, reason, apierrors.ReasonForError(err), "%v", err)
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
}
