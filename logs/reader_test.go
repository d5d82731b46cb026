package logs

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func body(text string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestTailRequest(t *testing.T) {
	t.Parallel()
	s := &serve{onLog: body("a\nb\n")}
	r := s.reader(t)
	for _, lines := range []int64{0, 7} {
		text, err := r.Tail(testContext(t), ref, TailOptions{Lines: lines})
		require.NoError(t, err)
		require.Equal(t, "a\nb\n", text)
	}
	noContainer := ref
	noContainer.Container = ""
	_, err := r.Tail(testContext(t), noContainer, TailOptions{Lines: 1})
	require.NoError(t, err)

	queries := s.queries()
	require.Equal(t, "100", queries[0].Get("tailLines"))
	require.Equal(t, "main", queries[0].Get("container"))
	require.Equal(t, "7", queries[1].Get("tailLines"))
	require.NotContains(t, queries[2], "container")
	_, err = r.Tail(testContext(t), ref, TailOptions{Lines: -1, Since: epoch.Add(1500 * time.Millisecond), Previous: true})
	require.NoError(t, err)
	q := s.queries()[len(queries)]
	require.NotContains(t, q, "tailLines")
	require.Equal(t, "2026-03-01T12:00:01Z", q.Get("sinceTime"))
	require.Equal(t, "true", q.Get("previous"))
	for _, q := range queries {
		require.NotContains(t, q, "limitBytes", "limitBytes would drop the end of the tail")
		require.NotContains(t, q, "follow")
	}
	require.Zero(t, s.gets, "a tail is one request")
}

func TestTailRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	r := NewReader(fake.NewClientset())
	for want, call := range map[string]func() error{
		"must not be empty": func() error { _, err := r.Tail(t.Context(), Ref{Namespace: "x"}, TailOptions{}); return err },
		"pod name":          func() error { _, err := r.Follow(t.Context(), Ref{Pod: "x"}, &Source{}, io.Discard); return err },
	} {
		err := call()
		require.ErrorContains(t, err, want)
		var e *Error
		require.ErrorAs(t, err, &e)
	}
}

func TestTailClassifiesErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		code   int
		reason metav1.StatusReason
		server string
		kind   error
		want   string // part of the message
	}{
		{"no pod", 404, metav1.StatusReasonNotFound, `pods "step-abcde" not found`, ErrGone, `pods "step-abcde" not found`},
		{"no node", 404, metav1.StatusReasonNotFound, `nodes "node-1" not found`, ErrGone, ""},
		{"the kubelet forgot the pod", 400, metav1.StatusReasonBadRequest, `pod "step-abcde" cannot be found - no logs available`, ErrGone, ""},
		{"the container is removed", 400, metav1.StatusReasonBadRequest, "unable to retrieve container logs for containerd://0123", ErrGone, ""},
		{"never had a container", 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is terminated`, ErrGone, ""},
		{"no previous run", 400, metav1.StatusReasonBadRequest, `previous terminated container "main" in pod "step-abcde" not found`, ErrGone, ""},
		{"creating", 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is waiting to start: ContainerCreating`, ErrNotStarted, "ContainerCreating"},
		{"initializing", 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is waiting to start: PodInitializing`, ErrNotStarted, ""},
		{"no image", 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is waiting to start: image can't be pulled`, ErrNotStarted, "can't be pulled"},
		{"no status yet", 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is not available`, ErrNotStarted, ""},
		{"wrong name", 400, metav1.StatusReasonBadRequest, "container mian is not valid for pod step-abcde", ErrContainerUnknown, "mian is not valid"},
		{"no name", 400, metav1.StatusReasonBadRequest, "a container name must be specified for pod step-abcde, choose one of: [main helper]", ErrContainerUnknown, "choose one of"},
		{"forbidden", 403, metav1.StatusReasonForbidden, `pods "step-abcde" is forbidden: User "x" cannot get resource "pods/log"`, nil, `grant the verb "get" on pods/log`},
		{"kubelet unreachable", 500, metav1.StatusReasonInternalError, `Get "https://10.0.0.1:10250/containerLogs/default/step-abcde/main": dial tcp: i/o timeout`, nil, "i/o timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &serve{
				onLog: func(_ int, w http.ResponseWriter, _ *http.Request) { refuse(w, tt.code, tt.reason, tt.server) },
			}
			text, err := s.reader(t).Tail(testContext(t), ref, TailOptions{Lines: 10})
			require.Empty(t, text)
			for _, kind := range []error{ErrGone, ErrNotStarted, ErrContainerUnknown} {
				if errors.Is(kind, tt.kind) {
					require.ErrorIs(t, err, kind)
				} else {
					require.NotErrorIs(t, err, kind)
				}
			}
			require.ErrorContains(t, err, `log of container "main" of pod default/step-abcde`)
			require.ErrorContains(t, err, tt.want)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, ref, e.Ref)
			var status apierrors.APIStatus
			require.ErrorAs(t, err, &status, "the error wraps the server's response")
		})
	}
}

func TestErrorIsPlainText(t *testing.T) {
	t.Parallel()
	text := (&Error{Ref: Ref{Namespace: "ns", Pod: "p"}, Err: errors.New("a\u202eb\u2028c\x1b[2J")}).Error()
	require.Contains(t, text, "ab c")
}

func TestTailDetectsKubeletErrorsInTheBody(t *testing.T) {
	t.Parallel()
	// The kubelet sends these with status 200, in place of the log.
	for text, kind := range map[string]error{
		"unable to retrieve container logs for containerd://5f2a":                                                                            ErrGone,
		`failed to try resolving symlinks in path "/var/log/pods/a/main/0.log": lstat /var/log/pods/a/main/0.log: no such file or directory`: ErrGone,
		`failed to open log file "/var/log/pods/a/main/0.log": open /var/log/pods/a/main/0.log: permission denied`:                           errKubelet,
		"failed to create fsnotify watcher: too many open files":                                                                             errKubelet,
		`failed to watch directory "/var/log/pods/a/main": no space left on device`:                                                          errKubelet,
		`failed to tail 100 lines of log file "/var/log/pods/a/main/0.log": read /var/log/pods/a/main/0.log: input/output error`:             errKubelet,
	} {
		s := &serve{onLog: body(text)}
		_, err := s.reader(t).Tail(testContext(t), ref, TailOptions{Lines: 10})
		require.ErrorIs(t, err, kind, text)
		require.ErrorContains(t, err, text)
	}
	// These are output of a program.
	for _, text := range []string{
		"", "\n", "failed to tail the elephant", "unable to retrieve container logs for you",
		"unable to retrieve container logs for containerd://5f2a\n", "x\nunable to retrieve container logs for containerd://5f2a",
		"failed to create fsnotify watcher: too many open files\n",
	} {
		s := &serve{onLog: body(text)}
		got, err := s.reader(t).Tail(testContext(t), ref, TailOptions{Lines: 10})
		require.NoError(t, err, text)
		require.Equal(t, text, got)
	}
}

func TestTailIsBoundedAndKeepsTheEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, log string
		max       int
		want      string
	}{
		{"fits", "abc\ndef\n", 8, "abc\ndef\n"},
		{"whole lines", "abc\ndef\nghi\n", 9, "def\nghi\n"},
		{"cut at a line's start", "abc\ndef\nghi\n", 8, "def\nghi\n"},
		{"one long line", strings.Repeat("x", 100) + "end\n", 5, "xend\n"},
		{"whole runes", strings.Repeat("é", 100), 5, "éé"},
		{"much more than the limit", strings.Repeat(strings.Repeat("y", 999)+"\n", 1000) + "last\n", 1005, strings.Repeat("y", 999) + "\nlast\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &serve{onLog: body(tt.log)}
			r := s.reader(t)
			r.MaxBytes = tt.max
			text, err := r.Tail(testContext(t), ref, TailOptions{Lines: 10})
			require.NoError(t, err)
			require.Equal(t, tt.want, text)
		})
	}
}

// endless is a stream of n bytes.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.n)
	e.n -= n
	return n, nil
}

func TestTailBufferMemory(t *testing.T) {
	t.Parallel()
	b := tailBuffer{limit: 64 << 10}
	n, err := b.ReadFrom(&endless{n: 16 << 20})
	require.NoError(t, err)
	require.EqualValues(t, 16<<20, n)
	require.LessOrEqual(t, cap(b.buf), 4*b.limit)
	require.Len(t, b.String(), b.limit)
}

func TestTailReportsAnInterruptedStream(t *testing.T) {
	t.Parallel()
	s := &serve{onLog: func(_ int, w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half a line")
		cut(w)
	}}
	text, err := s.reader(t).Tail(testContext(t), ref, TailOptions{Lines: 10})
	require.ErrorContains(t, err, "the log stream was interrupted")
	require.Empty(t, text, "an incomplete tail must not be returned")
}

func TestTailStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &serve{onLog: func(_ int, w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	}}
	_, err := s.reader(t).Tail(ctx, ref, TailOptions{Lines: 10})
	require.ErrorIs(t, err, context.Canceled)
}

func TestTailReadsACompressedLog(t *testing.T) {
	t.Parallel()
	s := &serve{onLog: func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "line from "+r.Header.Get("Accept-Encoding")+"\n")
		_ = z.Close()
	}}
	text, err := s.reader(t).Tail(testContext(t), ref, TailOptions{Lines: 10})
	require.NoError(t, err)
	require.Equal(t, "line from gzip\n", text)
}

func TestTailWithTheFakeClientset(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset()
	text, err := NewReader(client).Tail(t.Context(), ref, TailOptions{Lines: 10})
	require.NoError(t, err)
	require.Equal(t, "fake logs", text)

	client.PrependReactor("get", "pods/log", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewNotFound(corev1.Resource("pods"), ref.Pod)
	})
	_, err = NewReader(client).Tail(t.Context(), ref, TailOptions{Lines: 10})
	require.ErrorIs(t, err, ErrGone, "also wrapped in the fake's url.Error")
}
