package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// run is a container whose log is written while it is followed: each stream
// shows a few more lines than the one before and is then cut, mid-line.
type run struct {
	file  []logLine
	cuts  int
	shown atomic.Int64
}

// server serves the run: cuts streams while the container runs, then whole ones.
func (c *run) server(t *testing.T) *serve {
	perCut := len(c.file)/(c.cuts+1) + 1
	state := func() http.HandlerFunc {
		if c.shown.Load() >= int64(len(c.file)) {
			return podWith(corev1.PodSucceeded, terminatedState)
		}
		return podWith(corev1.PodRunning, runningState)
	}
	return &serve{
		onPod: func(w http.ResponseWriter, r *http.Request) { state()(w, r) },
		onLog: func(n int, w http.ResponseWriter, r *http.Request) {
			shown := min(n*perCut, len(c.file))
			c.shown.Store(int64(shown))
			writeLines(w, since(t, c.file[:shown], r.URL.Query()))
			if n <= c.cuts {
				next := c.file[min(shown, len(c.file)-1)].String()
				_, _ = io.WriteString(w, next[:n%len(next)])
				if n%3 != 0 { // every third cut looks like a clean end, as a proxy makes it
					cut(w)
				}
			}
		},
	}
}

func TestFollowDeliversEveryLineOnceThroughCuts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file []logLine
		cuts int
	}{
		{"no cut", numbered(1000, 10, 10*time.Millisecond), 0},
		{"one second for all", numbered(2000, 2000, 0), 50},
		{"bursts", numbered(4000, 20, 40*time.Millisecond), 200},
		{"slow", numbered(300, 1, 5*time.Second), 100},
		{"no output", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &run{file: tt.file, cuts: tt.cuts}
			s := c.server(t)
			var out bytes.Buffer
			report, err := s.reader(t).Follow(testContext(t), ref, &out)
			require.NoError(t, err)
			require.Equal(t, texts(tt.file), out.String())
			require.True(t, report.Complete)
			require.Empty(t, report.Gaps)
			require.EqualValues(t, len(tt.file), report.Lines)
			require.EqualValues(t, out.Len(), report.Bytes)
			require.GreaterOrEqual(t, report.Reopened, max(tt.cuts, 1))
			for i, q := range s.queries() {
				require.Equal(t, "main", q.Get("container"))
				require.Equal(t, "true", q.Get("timestamps"), "opening %d", i)
			}
			last := s.queries()[len(s.queries())-1]
			require.NotContains(t, last, "follow", "the last reading settles the tail")
		})
	}
}

func TestFollowReportsAGap(t *testing.T) {
	t.Parallel()
	file := numbered(100, 1, 100*time.Millisecond)
	s := &serve{
		onPod: podWith(corev1.PodRunning, runningState),
		onLog: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				writeLines(w, file[:40])
				cut(w)
			}
			writeLines(w, since(t, file[60:], r.URL.Query())) // the kubelet has rotated the file
		},
	}
	running := s.onPod
	s.onPod = func(w http.ResponseWriter, r *http.Request) {
		if len(s.queries()) > 1 {
			podWith(corev1.PodFailed, terminatedState)(w, r)
			return
		}
		running(w, r)
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, &out)
	require.NoError(t, err)
	require.Equal(t, texts(append(append([]logLine{}, file[:40]...), file[60:]...)), out.String())
	require.False(t, report.Complete)
	require.Equal(t, []Gap{{After: file[39].at, Before: file[60].at}}, report.Gaps)
}

func TestFollowReportsLinesThatNeverCameBack(t *testing.T) {
	t.Parallel()
	file := numbered(10, 1, time.Millisecond)
	s := &serve{
		onPod: podWith(corev1.PodFailed, terminatedState),
		onLog: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				writeLines(w, file)
			} // and then the file is empty
		},
	}
	report, err := s.reader(t).Follow(testContext(t), ref, io.Discard)
	require.NoError(t, err)
	require.False(t, report.Complete)
	require.Equal(t, []Gap{{After: file[9].at}}, report.Gaps)
	require.EqualValues(t, 10, report.Lines)
}

func TestFollowBoundsGaps(t *testing.T) {
	t.Parallel()
	var r Report
	for range 2 * maxGaps {
		r.addGap(Gap{})
	}
	require.Len(t, r.Gaps, maxGaps)
}

func TestFollowWaitsForTheStart(t *testing.T) {
	t.Parallel()
	file := numbered(3, 1, time.Second)
	s := &serve{
		onPod: podWith(corev1.PodPending, corev1.ContainerState{}),
		onLog: func(n int, w http.ResponseWriter, _ *http.Request) {
			switch {
			case n == 1: // no node yet: an empty 200
			case n == 2:
				refuse(w, 500, metav1.StatusReasonInternalError, "dial tcp 10.0.0.1:10250: connect: connection refused")
			case n < 5:
				refuse(w, 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is waiting to start: ContainerCreating`)
			default:
				writeLines(w, file)
			}
		},
	}
	pending := s.onPod
	s.onPod = func(w http.ResponseWriter, r *http.Request) {
		switch n := len(s.queries()); {
		case n == 2: // this answer may pass too
			refuse(w, 503, metav1.StatusReasonServiceUnavailable, "shutting down")
		case n < 5:
			pending(w, r)
		default:
			podWith(corev1.PodSucceeded, terminatedState)(w, r)
		}
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, &out)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Equal(t, texts(file), out.String())
}

func TestFollowEndsWithAnError(t *testing.T) {
	t.Parallel()
	notStarted := func(_ int, w http.ResponseWriter, _ *http.Request) {
		refuse(w, 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is waiting to start: PodInitializing`)
	}
	oneLine := func(_ int, w http.ResponseWriter, _ *http.Request) { writeLines(w, numbered(1, 1, 0)); cut(w) }
	gone := func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 404, metav1.StatusReasonNotFound, `pods "step-abcde" not found`)
	}
	tests := []struct {
		name  string
		onPod http.HandlerFunc
		onLog func(int, http.ResponseWriter, *http.Request)
		kind  error
		want  string
		lines int64
	}{
		{"pod deleted on the way", gone, oneLine, ErrGone, "not found", 1},
		{"another pod of that name", podWith(corev1.PodRunning, runningState, func(p *corev1.Pod) { p.UID = "uid-2" }), oneLine, ErrGone, "UID uid-2, asked for was uid-1", 1},
		{"the pod ended, the container never ran", podWith(corev1.PodFailed, corev1.ContainerState{}), notStarted, ErrNotStarted, "PodInitializing", 0},
		{"no such container", podWith(corev1.PodRunning, runningState), func(_ int, w http.ResponseWriter, _ *http.Request) {
			refuse(w, 400, metav1.StatusReasonBadRequest, "container main is not valid for pod step-abcde")
		}, ErrContainerUnknown, "helper", 0},
		{"the kubelet removed the log", podWith(corev1.PodSucceeded, terminatedState), body("unable to retrieve container logs for containerd://5f2a"), ErrGone, "containerd://5f2a", 0},
		{"the kubelet removed the log on the way", podWith(corev1.PodSucceeded, terminatedState), func(_ int, w http.ResponseWriter, _ *http.Request) {
			writeLines(w, numbered(2, 1, 0))
			_, _ = io.WriteString(w, "unable to retrieve container logs for containerd://5f2a")
		}, ErrGone, "containerd://5f2a", 2},
		{"forbidden to read logs", podWith(corev1.PodRunning, runningState), func(_ int, w http.ResponseWriter, _ *http.Request) {
			refuse(w, 403, metav1.StatusReasonForbidden, "forbidden")
		}, nil, "pods/log", 0},
		{"forbidden to read pods", func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, 403, metav1.StatusReasonForbidden, "cannot get pods")
		}, oneLine, nil, "on pods, to follow", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &serve{onPod: tt.onPod, onLog: tt.onLog}
			report, err := s.reader(t).Follow(testContext(t), ref, io.Discard)
			if tt.kind != nil {
				require.ErrorIs(t, err, tt.kind)
			}
			require.ErrorContains(t, err, tt.want)
			require.False(t, report.Complete)
			require.Equal(t, tt.lines, report.Lines)
			var e *Error
			require.ErrorAs(t, err, &e)
		})
	}
}

func TestFollowOutlivesKubeletErrorsThatPass(t *testing.T) {
	t.Parallel()
	file := numbered(3, 1, 0)
	s := &serve{
		onPod: podWith(corev1.PodSucceeded, terminatedState),
		onLog: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n <= 2 {
				_, _ = io.WriteString(w, "failed to create fsnotify watcher: too many open files")
				return
			}
			writeLines(w, file)
		},
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, &out)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Equal(t, texts(file), out.String(), "the kubelet's error is no line of the log")
}

func TestFollowOpensASilentStreamAgain(t *testing.T) {
	t.Parallel()
	file := numbered(2, 1, 0)
	s := &serve{
		onPod: podWith(corev1.PodRunning, runningState),
		onLog: func(n int, w http.ResponseWriter, r *http.Request) {
			if n <= 2 {
				writeLines(w, file[:1])
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done() // no byte more, and no end
				return
			}
			writeLines(w, file)
		},
	}
	running := s.onPod
	s.onPod = func(w http.ResponseWriter, r *http.Request) {
		if len(s.queries()) > 2 {
			podWith(corev1.PodSucceeded, terminatedState)(w, r)
			return
		}
		running(w, r)
	}
	reader := s.reader(t)
	reader.idle = 30 * time.Millisecond
	var out bytes.Buffer
	report, err := reader.Follow(testContext(t), ref, &out)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Equal(t, texts(file), out.String())
	require.GreaterOrEqual(t, report.Reopened, 3)
}

func TestFollowCutsLongLinesAndKeepsAnUnfinishedLast(t *testing.T) {
	t.Parallel()
	s := &serve{
		onPod: podWith(corev1.PodSucceeded, terminatedState),
		onLog: func(_ int, w http.ResponseWriter, _ *http.Request) {
			writeLines(w, []logLine{{epoch, strings.Repeat("x", 100_000)}, {epoch, "short"}})
			_, _ = io.WriteString(w, strings.TrimSuffix(logLine{epoch, "no newline"}.String(), "\n"))
		},
	}
	reader := s.reader(t)
	reader.MaxLineBytes = 20
	var out bytes.Buffer
	report, err := reader.Follow(testContext(t), ref, &out)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 20)+"\nshort\nno newline", out.String())
	require.EqualValues(t, 1, report.Truncated)
	require.EqualValues(t, 3, report.Lines)
	require.True(t, report.Complete)
}

func TestFollowOfALogWithoutStamps(t *testing.T) {
	t.Parallel()
	c := &run{file: numbered(500, 1, 0), cuts: 5}
	s := c.server(t)
	onLog := s.onLog
	s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
		onLog(n, unstamped{w}, r)
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, &out)
	require.NoError(t, err)
	require.Equal(t, texts(c.file), out.String())
	require.True(t, report.Complete)

	out.Reset()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Pod, UID: ref.UID}, Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
	report, err = NewReader(fake.NewClientset(pod)).Follow(testContext(t), ref, &out)
	require.NoError(t, err)
	require.Equal(t, "fake logs", out.String())
	require.True(t, report.Complete)
}

// unstamped takes the stamps off, as a server does that ignores timestamps.
type unstamped struct{ http.ResponseWriter }

func (u unstamped) Write(p []byte) (int, error) {
	if i := bytes.IndexByte(p, ' '); i > 0 && bytes.HasPrefix(p, []byte("2026-")) {
		_, err := u.ResponseWriter.Write(p[i+1:])
		return len(p), err
	}
	return len(p), nil // a piece of a stamp
}

func (u unstamped) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// full is a writer that fails after n writes.
type full struct{ n int }

var errFull = errors.New("disk full")

func (f *full) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestFollowEndsWithTheWriter(t *testing.T) {
	t.Parallel()
	c := &run{file: numbered(10, 1, 0)}
	report, err := c.server(t).reader(t).Follow(testContext(t), ref, &full{n: 4})
	require.ErrorIs(t, err, errFull)
	require.EqualValues(t, 4, report.Lines)
	require.False(t, report.Complete)
}

func TestFollowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	reason := errors.New("worker stops")
	tests := map[string]func(cancel func(), w http.ResponseWriter, r *http.Request){
		"while streaming": func(cancel func(), w http.ResponseWriter, r *http.Request) {
			writeLines(w, numbered(1, 1, 0))
			_ = http.NewResponseController(w).Flush()
			cancel()
			<-r.Context().Done()
		},
		"while waiting": func(cancel func(), w http.ResponseWriter, _ *http.Request) {
			cancel()
			refuse(w, 400, metav1.StatusReasonBadRequest, "container is waiting to start: ContainerCreating")
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			s := &serve{
				onPod: podWith(corev1.PodRunning, runningState),
				onLog: func(_ int, w http.ResponseWriter, r *http.Request) { answer(func() { cancel(reason) }, w, r) },
			}
			report, err := s.reader(t).Follow(ctx, ref, io.Discard)
			require.ErrorIs(t, err, reason)
			require.ErrorContains(t, err, "default/step-abcde")
			require.False(t, report.Complete)
		})
	}
}

func TestHasEnded(t *testing.T) {
	t.Parallel()
	exit := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}
	}
	tests := []struct {
		phase  corev1.PodPhase
		policy corev1.RestartPolicy
		state  corev1.ContainerState
		want   bool
	}{
		{corev1.PodRunning, corev1.RestartPolicyNever, runningState, false},
		{corev1.PodRunning, corev1.RestartPolicyNever, exit(3), true},
		{corev1.PodRunning, corev1.RestartPolicyOnFailure, exit(3), false},
		{corev1.PodRunning, corev1.RestartPolicyOnFailure, exit(0), true},
		{corev1.PodRunning, corev1.RestartPolicyAlways, exit(0), false},
		{corev1.PodPending, corev1.RestartPolicyNever, corev1.ContainerState{}, false},
		{corev1.PodSucceeded, corev1.RestartPolicyOnFailure, exit(0), true},
		{corev1.PodFailed, corev1.RestartPolicyNever, corev1.ContainerState{}, true},
	}
	for _, tt := range tests {
		for _, kind := range []string{"main", "init", "sidecar"} {
			p := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: tt.policy}, Status: corev1.PodStatus{Phase: tt.phase}}
			statuses := []corev1.ContainerStatus{{Name: "other", State: runningState}, {Name: "c", State: tt.state}}
			want := tt.want
			switch kind {
			case "main":
				p.Spec.Containers = []corev1.Container{{Name: "c"}}
				p.Status.ContainerStatuses = statuses
			case "init":
				p.Spec.InitContainers = []corev1.Container{{Name: "c"}}
				p.Status.InitContainerStatuses = statuses
			default: // the kubelet starts it again whatever the pod's policy
				p.Spec.InitContainers = []corev1.Container{{Name: "c", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)}}
				p.Status.InitContainerStatuses = statuses
				want = tt.phase == corev1.PodSucceeded || tt.phase == corev1.PodFailed
			}
			require.Equal(t, want, hasEnded(p, "c"), "%s %+v", kind, tt)
			if kind == "main" {
				require.Equal(t, want, hasEnded(p, ""), "the first container, when none is named")
			}
		}
	}
}

func TestRefNamesWhatItReads(t *testing.T) {
	t.Parallel()
	require.Equal(t, `container "main" of pod default/step-abcde`, fmt.Sprint(ref))
	require.Equal(t, "pod a/b", fmt.Sprint(Ref{Namespace: "a", Pod: "b"}))
}
