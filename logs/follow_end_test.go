package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestFollowReportsLinesThatAreNotReturnedAgain(t *testing.T) {
	t.Parallel()
	file := numbered(10, 1, time.Millisecond)
	s := &serve{source: sourceOf(running)}
	s.onLog = func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			writeLines(w, file)
			s.source.Set(ended)
		} // later reads return an empty file
	}
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, io.Discard)
	require.NoError(t, err)
	require.False(t, report.Complete)
	require.Equal(t, []Gap{{After: file[9].at}}, report.Gaps)
	require.EqualValues(t, 10, report.Lines)
}

// TestFollowOfAnEndedLogThatIsCutShort: the API server ends a response like a complete one
// when it loses the kubelet.
func TestFollowOfAnEndedLogThatIsCutShort(t *testing.T) {
	t.Parallel()
	file := numbered(500, 1, 100*time.Millisecond)
	s := &serve{source: sourceOf(ended)}
	s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		writeLines(&text, since(t, file, r.URL.Query()))
		_, _ = w.Write(text.Next(2000 + 7*n))
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.Equal(t, texts(file), out.String())
	require.True(t, report.Complete)
	require.EqualValues(t, len(file), report.Lines)
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
	answer := func(code int, reason metav1.StatusReason, message string) func(*Source, http.ResponseWriter) {
		return func(_ *Source, w http.ResponseWriter) { refuse(w, code, reason, message) }
	}
	lines := func(n int, after string) func(*Source, http.ResponseWriter) {
		return func(_ *Source, w http.ResponseWriter) {
			writeLines(w, numbered(n, 1, 0))
			_, _ = io.WriteString(w, after)
		}
	}
	tests := []struct {
		name  string
		state State
		onLog func(*Source, http.ResponseWriter)
		kind  error
		want  string // part of the message
		lines int64
	}{
		{"pod deleted", State{Started: epoch, Gone: true}, nil, ErrGone, "deleted before", 0},
		{"pod deleted meanwhile", running, func(s *Source, w http.ResponseWriter) {
			writeLines(w, numbered(1, 1, 0))
			s.Set(State{Started: epoch, Gone: true})
			cut(w)
		}, ErrGone, "deleted before", 1},
		{"pod deleted, and the source does not know it yet", ended, answer(404, metav1.StatusReasonNotFound, `pods "step-abcde" not found`), ErrGone, "not found", 0},
		{"the pod ended, the container never ran", State{Over: true}, nil, ErrNotStarted, "has not started", 0},
		{"the kubelet does not know of the run", ended, answer(400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is waiting to start: PodInitializing`), ErrNotStarted, "PodInitializing", 0},
		{"no such container", running, answer(400, metav1.StatusReasonBadRequest, "container main is not valid for pod step-abcde"), ErrContainerUnknown, "is not valid", 0},
		{"the kubelet removed the log", ended, lines(0, "unable to retrieve container logs for containerd://5f2a"), ErrGone, "containerd://5f2a", 0},
		{"the kubelet removed the log meanwhile", ended, lines(2, "unable to retrieve container logs for containerd://5f2a"), ErrGone, "containerd://5f2a", 2},
		{"forbidden", running, answer(403, metav1.StatusReasonForbidden, "forbidden"), nil, `grant the verb "get" on pods/log`, 0},
		{"still running", State{Started: epoch, Running: true, Over: true}, lines(3, ""), nil, "still running", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &serve{source: sourceOf(tt.state)}
			s.onLog = func(_ int, w http.ResponseWriter, _ *http.Request) { tt.onLog(s.source, w) }
			report, err := s.reader(t).Follow(testContext(t), ref, s.source, io.Discard)
			if tt.kind != nil {
				require.ErrorIs(t, err, tt.kind)
			}
			require.ErrorContains(t, err, tt.want)
			require.False(t, report.Complete)
			require.Equal(t, tt.lines, report.Lines)
			require.Zero(t, s.gets, "no pod is read")
			var e *Error
			require.ErrorAs(t, err, &e)
		})
	}
}

// full is a writer with room for so many bytes.
type full struct{ room int }

var errFull = errors.New("disk full")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	if f.room -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestFollowEndsWithTheWriter(t *testing.T) {
	t.Parallel()
	c := &run{file: numbered(10, 1, 0)}
	s := c.server(t)
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, &full{room: 30})
	require.ErrorIs(t, err, errFull)
	require.EqualValues(t, 4, report.Lines, "whole lines")
	require.EqualValues(t, 30, report.Bytes)
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
				onLog: func(_ int, w http.ResponseWriter, r *http.Request) { answer(func() { cancel(reason) }, w, r) },
			}
			report, err := s.reader(t).Follow(ctx, ref, sourceOf(running), io.Discard)
			require.ErrorIs(t, err, reason)
			require.ErrorContains(t, err, "default/step-abcde")
			require.False(t, report.Complete)
		})
	}
}

func TestRefString(t *testing.T) {
	t.Parallel()
	require.Equal(t, `container "main" of pod default/step-abcde`, fmt.Sprint(ref))
	require.Equal(t, "pod a/b", fmt.Sprint(Ref{Namespace: "a", Pod: "b"}))
}
