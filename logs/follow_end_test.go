package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestFollowReportsLinesThatAreNotReturnedAgain(t *testing.T) {
	t.Parallel()
	file := numbered(10, 1, time.Millisecond)
	s := &serve{
		onPod: podWith(corev1.PodFailed, terminatedState),
		onLog: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				writeLines(w, file)
			} // later reads return an empty file
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
		want  string // part of the message
		lines int64
	}{
		{"pod deleted meanwhile", gone, oneLine, ErrGone, "not found", 1},
		{"pod replaced by another of that name", podWith(corev1.PodRunning, runningState, func(p *corev1.Pod) { p.UID = "uid-2" }), oneLine, ErrGone, "UID is uid-2, want uid-1", 1},
		{"the pod ended, the container never ran", podWith(corev1.PodFailed, corev1.ContainerState{}), notStarted, ErrNotStarted, "PodInitializing", 0},
		{"no such container", podWith(corev1.PodRunning, runningState), func(_ int, w http.ResponseWriter, _ *http.Request) {
			refuse(w, 400, metav1.StatusReasonBadRequest, "container main is not valid for pod step-abcde")
		}, ErrContainerUnknown, "helper", 0},
		{"the kubelet removed the log", podWith(corev1.PodSucceeded, terminatedState), body("unable to retrieve container logs for containerd://5f2a"), ErrGone, "containerd://5f2a", 0},
		{"the kubelet removed the log meanwhile", podWith(corev1.PodSucceeded, terminatedState), func(_ int, w http.ResponseWriter, _ *http.Request) {
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
			default: // the kubelet restarts a sidecar whatever the pod's policy
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

func TestRefString(t *testing.T) {
	t.Parallel()
	require.Equal(t, `container "main" of pod default/step-abcde`, fmt.Sprint(ref))
	require.Equal(t, "pod a/b", fmt.Sprint(Ref{Namespace: "a", Pod: "b"}))
}
