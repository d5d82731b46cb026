package logs

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// run is a container whose log grows while it is followed: each stream returns a
// few more lines than the previous one and is then interrupted within a line.
type run struct {
	file []logLine
	cuts int
}

// server interrupts the first cuts streams; the container ends with the next one.
func (c *run) server(t *testing.T) *serve {
	perCut := len(c.file)/(c.cuts+1) + 1
	s := &serve{source: sourceOf(running)}
	s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
		shown := min(n*perCut, len(c.file))
		if shown == len(c.file) {
			s.source.Set(ended)
		}
		writeLines(w, since(t, c.file[:shown], r.URL.Query()))
		if n <= c.cuts {
			next := c.file[min(shown, len(c.file)-1)].String()
			_, _ = io.WriteString(w, next[:n%len(next)])
			if n%3 != 0 { // every third stream ends cleanly, as behind a proxy
				cut(w)
			}
		}
	}
	return s
}

func TestFollowDeliversEveryLineOnceDespiteInterruptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file []logLine
		cuts int
	}{
		{"no cut", numbered(1000, 10, 10*time.Millisecond), 0},
		{"all in one second", numbered(2000, 2000, 0), 50},
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
			report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
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
			require.NotContains(t, last, "follow", "the last read does not follow")
		})
	}
}

func TestFollowReportsAGap(t *testing.T) {
	t.Parallel()
	file := numbered(100, 1, 100*time.Millisecond)
	s := &serve{source: sourceOf(running)}
	s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			writeLines(w, file[:40])
			cut(w)
		}
		s.source.Set(ended)
		writeLines(w, since(t, file[60:], r.URL.Query())) // the kubelet has rotated the file
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.Equal(t, texts(append(append([]logLine{}, file[:40]...), file[60:]...)), out.String())
	require.False(t, report.Complete)
	require.Equal(t, []Gap{{After: file[39].at, Before: file[60].at}}, report.Gaps)
}

// TestFollowWithoutAnAnswer: the status of the container is known before the kubelet, or
// the API server, has its log.
func TestFollowWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	file := numbered(3, 1, time.Second)
	s := &serve{source: sourceOf(running)}
	s.onLog = func(n int, w http.ResponseWriter, _ *http.Request) {
		switch {
		case n == 1: // an empty 200
		case n == 2:
			refuse(w, 500, metav1.StatusReasonInternalError, "dial tcp 10.0.0.1:10250: connect: connection refused")
		case n == 3:
			refuse(w, 401, metav1.StatusReasonUnauthorized, "Unauthorized") // until client-go has read the new token
		case n < 6:
			refuse(w, 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is waiting to start: ContainerCreating`)
		default:
			s.source.Set(ended)
			writeLines(w, file)
		}
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Equal(t, texts(file), out.String())
}

func TestFollowRetriesTransientKubeletErrors(t *testing.T) {
	t.Parallel()
	file := numbered(3, 1, 0)
	s := &serve{
		source: sourceOf(ended),
		onLog: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n <= 2 {
				_, _ = io.WriteString(w, "failed to create fsnotify watcher: too many open files")
				return
			}
			writeLines(w, file)
		},
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Equal(t, texts(file), out.String(), "the kubelet's error is not part of the log")
}

func TestFollowReopensASilentStream(t *testing.T) {
	t.Parallel()
	file := numbered(2, 1, 0)
	s := &serve{source: sourceOf(running)}
	s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
		if n <= 2 {
			writeLines(w, file[:1])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // neither data nor an end
			return
		}
		s.source.Set(ended)
		writeLines(w, file)
	}
	reader := s.reader(t)
	reader.idle = 30 * time.Millisecond
	var out bytes.Buffer
	report, err := reader.Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Equal(t, texts(file), out.String())
	require.GreaterOrEqual(t, report.Reopened, 2, "net/http may have sent one of the requests twice")
}

func TestFollowCutsLongLinesAndEndsTheLast(t *testing.T) {
	t.Parallel()
	s := &serve{
		source: sourceOf(ended),
		onLog: func(_ int, w http.ResponseWriter, _ *http.Request) {
			writeLines(w, []logLine{{epoch, strings.Repeat("x", 100_000)}, {epoch, "short"}})
			_, _ = io.WriteString(w, strings.TrimSuffix(logLine{epoch, "no newline"}.String(), "\n"))
		},
	}
	reader := s.reader(t)
	reader.MaxLineBytes = 20
	var out bytes.Buffer
	report, err := reader.Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 20)+"\nshort\nno newline\n", out.String())
	require.EqualValues(t, 1, report.Truncated)
	require.EqualValues(t, 3, report.Lines)
	require.True(t, report.Complete)
}

func TestFollowWithoutTimestamps(t *testing.T) {
	t.Parallel()
	c := &run{file: numbered(500, 1, 0), cuts: 5}
	s := c.server(t)
	onLog := s.onLog
	s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
		onLog(n, unstamped{w}, r)
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.Equal(t, texts(c.file), out.String())
	require.True(t, report.Complete)

	out.Reset()
	report, err = NewReader(fake.NewClientset()).Follow(testContext(t), ref, sourceOf(ended), &out)
	require.NoError(t, err)
	require.Equal(t, "fake logs\n", out.String())
	require.True(t, report.Complete)
}

// unstamped removes the timestamps, like a server that ignores the option.
type unstamped struct{ http.ResponseWriter }

func (u unstamped) Write(p []byte) (int, error) {
	if i := bytes.IndexByte(p, ' '); i > 0 && bytes.HasPrefix(p, []byte("2026-")) {
		_, err := u.ResponseWriter.Write(p[i+1:])
		return len(p), err
	}
	return len(p), nil // part of a timestamp
}

func (u unstamped) Unwrap() http.ResponseWriter { return u.ResponseWriter }
