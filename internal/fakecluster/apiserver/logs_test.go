package apiserver

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

func startContainer(t testing.TB, c kubernetes.Interface, pod, state string) {
	t.Helper()
	_, err := c.CoreV1().Pods(testNamespace).Patch(t.Context(), pod, types.MergePatchType,
		[]byte(`{"status":{"containerStatuses":[{"name":"main","state":`+state+`}]}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
}

func TestPodLogs(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	pods := c.CoreV1().Pods(testNamespace)
	s.SetLogSource(func(ns, pod, container string, opts *corev1.PodLogOptions) (io.ReadCloser, error) {
		if pod == "broken" {
			return nil, errors.New("disk on fire")
		}
		if pod == "gone" {
			return nil, apierrors.NewNotFound(corev1.Resource("pods"), pod)
		}
		require.Equal(t, int64(3), *opts.TailLines)
		return io.NopCloser(strings.NewReader(ns + "/" + pod + "/" + container)), nil
	})
	opts := &corev1.PodLogOptions{TailLines: ptr.To[int64](3)}
	read := func(name string) (string, error) {
		stream, err := pods.GetLogs(name, opts).Stream(t.Context())
		if err != nil {
			return "", err
		}
		raw, err := io.ReadAll(stream)
		require.NoError(t, err)
		return string(raw), stream.Close()
	}
	_, err := read("nobody")
	requireReason(t, err, metav1.StatusReasonNotFound, `pods "nobody" not found`)
	for _, name := range []string{"a", "broken", "gone"} {
		createPod(t, c, testPod(name))
	}
	text, err := read("a")
	require.NoError(t, err)
	require.Empty(t, text, "a pod without a node has an empty log")
	for _, name := range []string{"a", "broken", "gone"} {
		bindPod(t, c, name)
	}
	_, err = read("a")
	requireReason(t, err, metav1.StatusReasonBadRequest, `container "main" in pod "a" is not available`)
	startContainer(t, c, "a", `{"waiting":{"reason":"ContainerCreating"}}`)
	_, err = read("a")
	requireReason(t, err, metav1.StatusReasonBadRequest, `container "main" in pod "a" is waiting to start: ContainerCreating`)
	startContainer(t, c, "a", `{"waiting":{"reason":"ImagePullBackOff"}}`)
	_, err = read("a")
	requireReason(t, err, metav1.StatusReasonBadRequest, "trying and failing to pull image")
	for _, name := range []string{"a", "broken", "gone"} {
		startContainer(t, c, name, `{"waiting":null,"running":{}}`)
	}
	text, err = read("a")
	require.NoError(t, err)
	require.Equal(t, "work/a/main", text)
	raw, err := pods.GetLogs("a", opts).DoRaw(t.Context())
	require.NoError(t, err)
	require.Equal(t, "work/a/main", string(raw))

	_, err = c.CoreV1().Pods(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(
		`{"status":{"containerStatuses":[{"name":"main","state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1}}}]}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	text, err = read("a")
	require.NoError(t, err)
	require.Equal(t, "work/a/main", text, "the last instance's log")
	startContainer(t, c, "a", `{"running":{}}`)

	_, err = read("broken")
	requireReason(t, err, metav1.StatusReasonInternalError, "disk on fire")
	_, err = read("gone")
	requireReason(t, err, metav1.StatusReasonNotFound)
	opts.Previous = true
	_, err = read("a")
	requireReason(t, err, metav1.StatusReasonBadRequest, `previous terminated container "main" in pod "a" not found`)
	opts.Previous, opts.Container = false, "other"
	_, err = read("a")
	requireReason(t, err, metav1.StatusReasonBadRequest, "container other is not valid for pod a")

	two := testPod("two")
	two.Spec.Containers = append(two.Spec.Containers, corev1.Container{Name: "second", Image: "x"})
	two.Spec.InitContainers = []corev1.Container{{Name: "first", Image: "x"}}
	createPod(t, c, two)
	opts.Container = ""
	_, err = read("two")
	requireReason(t, err, metav1.StatusReasonBadRequest, "a container name must be specified for pod two, choose one of: [first main second]")
	require.Equal(t, 13, s.Stats().Count("", "get", "pods/log"), "each read is one request")
}

// TestFollowedLogEndsWithItsContext: a blocked read returns, the source is closed.
func TestFollowedLogEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		in, out := io.Pipe()
		s.SetLogSource(func(string, string, string, *corev1.PodLogOptions) (io.ReadCloser, error) { return in, nil })
		createPod(t, c, testPod("a"))
		bindPod(t, c, "a")
		startContainer(t, c, "a", `{"running":{}}`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		stream, err := c.CoreV1().Pods(testNamespace).GetLogs("a", &corev1.PodLogOptions{Follow: true}).Stream(ctx)
		require.NoError(t, err)
		go func() { _, _ = out.Write([]byte("line\n")) }()
		buf := make([]byte, 100)
		n, err := stream.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "line\n", string(buf[:n]))
		begin := time.Now()
		_, err = stream.Read(buf)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
		synctest.Wait()
		_, err = out.Write([]byte("x"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.NoError(t, stream.Close())
	})
}
