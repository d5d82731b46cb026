package apiserver

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// inBubble runs f with a server in virtual time.
func inBubble(t *testing.T, f func(t *testing.T, s *Server, c kubernetes.Interface)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		f(t, s, s.Clientset())
	})
}

// TestFaultOfAResponse shows what a client receives if the response to its create is
// disturbed, after how long, and whether the Job exists.
func TestFaultOfAResponse(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	is := func(want error) func(*testing.T, error) {
		return func(t *testing.T, err error) { require.ErrorIs(t, err, want) }
	}
	for name, tc := range map[string]struct {
		fault Fault
		takes time.Duration
		done  bool
		check func(*testing.T, error)
	}{
		"none":              {Fault{}, 0, true, func(t *testing.T, err error) { require.NoError(t, err) }},
		"late":              {Fault{Delay: time.Second}, time.Second, true, func(t *testing.T, err error) { require.NoError(t, err) }},
		"never received":    {Fault{Delay: Forever}, time.Hour, false, is(context.DeadlineExceeded)},
		"refused":           {Fault{Before: syscall.ECONNREFUSED}, 0, false, is(syscall.ECONNREFUSED)},
		"overload":          {Fault{Before: apierrors.NewTooManyRequests("slow down", 0)}, 0, false, func(t *testing.T, err error) { require.True(t, apierrors.IsTooManyRequests(err), err) }},
		"overload, passing": {Fault{Times: 3, Before: apierrors.NewTooManyRequests("slow down", 2)}, 6 * time.Second, true, func(t *testing.T, err error) { require.NoError(t, err) }},
		"response late":     {Fault{ResponseDelay: time.Minute}, time.Minute, true, func(t *testing.T, err error) { require.NoError(t, err) }},
		"response lost":     {Fault{ResponseDelay: Forever}, time.Hour, true, is(context.DeadlineExceeded)},
		"response broken":   {Fault{After: broken}, 0, true, is(broken)},
		"body cut":          {Fault{Body: &BodyFault{Bytes: 10, Break: syscall.ECONNRESET}}, 0, true, is(syscall.ECONNRESET)},
		"body cut at once":  {Fault{Body: &BodyFault{Break: syscall.ECONNRESET}}, 0, true, is(syscall.ECONNRESET)},
		"body truncated":    {Fault{Body: &BodyFault{Bytes: 10}}, 0, true, func(t *testing.T, err error) { require.ErrorContains(t, err, "unexpected EOF") }},
		"body stalled":      {Fault{Body: &BodyFault{Bytes: 10, Stall: true}}, time.Hour, true, is(context.DeadlineExceeded)},
		"slow drip":         {Fault{Body: &BodyFault{Bytes: 100, Pause: time.Second}}, 5 * time.Second, true, func(t *testing.T, err error) { require.NoError(t, err) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *Server, c kubernetes.Interface) {
				tc.fault.Match = Match{Verb: "create", Resource: "jobs"}
				defer s.AddFault(tc.fault)()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				begin := time.Now()
				_, err := c.BatchV1().Jobs(testNamespace).Create(ctx, testJob("a"), metav1.CreateOptions{})
				tc.check(t, err)
				require.InDelta(t, tc.takes.Seconds(), time.Since(begin).Seconds(), 2)
				_, err = c.BatchV1().Jobs(testNamespace).Get(t.Context(), "a", metav1.GetOptions{})
				require.Equal(t, tc.done, err == nil, "%v", err)
			})
		})
	}
}

// TestFaultOfAStream disturbs the body of a watch and of a log.
func TestFaultOfAStream(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *Server, c kubernetes.Interface) {
		createPod(t, c, testPod("a"))
		undo := s.AddFault(Fault{Match: Match{Verb: "watch"}, Body: &BodyFault{Bytes: 50}})
		w, err := c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		_, open := <-w.ResultChan()
		require.False(t, open, "half a frame is the end of the watch")
		undo()

		undo = s.AddFault(Fault{Match: Match{Verb: "watch"}, Body: &BodyFault{Bytes: 100, Pause: time.Second}})
		begin := time.Now()
		w, err = c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		requireObject(t, <-w.ResultChan(), watch.Added, "a")
		require.Greater(t, time.Since(begin), 2*time.Second)
		w.Stop()
		undo()

		s.SetLogSource(func(string, string, string, *corev1.PodLogOptions) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("one\ntwo\n")), nil
		})
		bindPod(t, c, "a")
		startContainer(t, c, "a", `{"running":{}}`)
		s.AddFault(Fault{Match: Match{Resource: "pods/log"}, Body: &BodyFault{Bytes: 5, Break: syscall.ECONNRESET}})
		stream, err := c.CoreV1().Pods(testNamespace).GetLogs("a", &corev1.PodLogOptions{}).Stream(t.Context())
		require.NoError(t, err)
		_, err = io.ReadAll(stream)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.NoError(t, stream.Close())
	})
}

func TestReorderWatches(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *Server, c kubernetes.Interface) {
		w, err := c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		defer w.Stop()
		require.Equal(t, 1, s.ReorderWatches(WatchMatch{Resource: "pods"}))
		for _, name := range []string{"a", "b", "c"} {
			createPod(t, c, testPod(name))
		}
		for _, name := range []string{"b", "a", "c"} {
			requireObject(t, <-w.ResultChan(), watch.Added, name)
		}
	})
}
