package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var (
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ref   = Ref{Namespace: "default", Pod: "step-abcde", Container: "main"}

	running = State{Started: epoch, Running: true}
	ended   = State{Started: epoch, Over: true}
)

// sourceOf returns a source with that state.
func sourceOf(state State) *Source {
	s := &Source{}
	s.Set(state)
	return s
}

// serve answers the request of this package, for the log of a pod, over real HTTP, and
// counts those for the pod, which has none. onLog receives the number of the request, from 1.
type serve struct {
	onLog func(n int, w http.ResponseWriter, r *http.Request)

	source *Source // of Follow

	mu   sync.Mutex
	logs []url.Values // the queries so far
	gets int
}

func (s *serve) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api/v1/namespaces/default/pods/step-abcde/log":
		s.mu.Lock()
		s.logs = append(s.logs, r.URL.Query())
		n := len(s.logs)
		s.mu.Unlock()
		s.onLog(n, w, r)
	case "/api/v1/namespaces/default/pods/step-abcde":
		s.mu.Lock()
		s.gets++
		s.mu.Unlock()
		http.NotFound(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *serve) queries() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.logs...)
}

// reader starts the server and returns a Reader over a real client, with short
// pauses.
func (s *serve) reader(t testing.TB) *Reader {
	t.Helper()
	server := httptest.NewServer(s)
	transport := &http.Transport{}
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1, Transport: transport})
	require.NoError(t, err)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	r := NewReader(client)
	r.backoff = wait.Backoff{Duration: time.Millisecond, Factor: 1, Steps: 1}
	return r
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func writeJSON(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

// refuse answers with an error status, as the API server does for its own errors
// and for those of the kubelet.
func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	writeJSON(w, code, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
}

// cut ends a response as a broken connection does.
func cut(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// logLine is one line of a container's log file.
type logLine struct {
	at   time.Time
	text string
}

func (l logLine) String() string {
	return l.at.Format("2006-01-02T15:04:05.000000000Z07:00") + " " + l.text + "\n"
}

// since filters a log file by the timestamp of each line, as the kubelet does.
func since(t *testing.T, file []logLine, query url.Values) []logLine {
	text := query.Get("sinceTime")
	if text == "" {
		return file
	}
	start, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Errorf("sinceTime %q: %v", text, err)
	}
	var out []logLine
	for _, l := range file {
		if !l.at.Before(start) {
			out = append(out, l)
		}
	}
	return out
}

func writeLines(w io.Writer, lines []logLine) {
	for _, l := range lines {
		_, _ = io.WriteString(w, l.String())
	}
}

// numbered returns n lines, stamped in bursts: burst lines share a stamp, and
// stamps are step apart.
func numbered(n, burst int, step time.Duration) []logLine {
	lines := make([]logLine, n)
	for i := range lines {
		lines[i] = logLine{epoch.Add(time.Duration(i/burst) * step), "line " + strconv.Itoa(i)}
	}
	return lines
}

func texts(lines []logLine) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&b, l.text)
	}
	return b.String()
}
