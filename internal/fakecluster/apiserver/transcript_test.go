package apiserver

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// record makes TestTranscript run against a real API server and write its responses to
// the golden file. The server must be new, without controllers, with --allow-privileged,
// and with the admission plugins ServiceAccount and DefaultTolerationSeconds disabled.
var record = flag.String("record", "", "kubeconfig of a real API server to record testdata/transcript.golden from")

const golden = "testdata/transcript.golden"

// TestTranscript sends a long list of requests and compares every response with that of
// kube-apiserver 1.37.2: objects with all their defaults, errors with reason, message
// and causes, and the events of a watch.
func TestTranscript(t *testing.T) {
	t.Parallel()
	if *record != "" {
		config, err := clientcmd.BuildConfigFromFlags("", *record)
		require.NoError(t, err)
		config.QPS = -1
		http, err := rest.HTTPClientFor(config)
		require.NoError(t, err)
		defer http.CloseIdleConnections()
		c, err := kubernetes.NewForConfigAndClient(config, http)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(golden, []byte(transcript(t, c)), 0o644))
		return
	}
	_, c := newServer(t, Options{RequireNamespaces: true})
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	// One request at a time, so that a difference stays readable.
	expected, actual := strings.Split(string(want), "## "), strings.Split(transcript(t, c), "## ")
	require.Len(t, actual, len(expected))
	for i := range expected {
		require.Equal(t, expected[i], actual[i])
	}
}

// recorder writes responses in a form that does not depend on the time and the server.
type recorder struct {
	t    *testing.T
	ctx  context.Context
	c    kubernetes.Interface
	text strings.Builder
	uids map[string]string
}

func transcript(t *testing.T, c kubernetes.Interface) string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := &recorder{t: t, ctx: ctx, c: c, uids: map[string]string{}}
	recordJobs(r)
	recordJobStatus(r)
	recordPods(r)
	recordLists(r)
	recordNamespaces(r)
	return r.text.String()
}

// answer writes the response to one request.
func (r *recorder) answer(what string, o runtime.Object, err error) {
	fmt.Fprintf(&r.text, "## %s\n", what)
	if err != nil {
		r.failure(err)
		return
	}
	if o == nil {
		r.text.WriteString("ok\n")
		return
	}
	raw, err := json.Marshal(o)
	require.NoError(r.t, err)
	var doc map[string]any
	require.NoError(r.t, json.Unmarshal(raw, &doc))
	delete(doc, "kind")
	delete(doc, "apiVersion")
	if meta, ok := doc["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
		delete(meta, "resourceVersion")
	}
	raw, err = json.MarshalIndent(doc, "", " ")
	require.NoError(r.t, err)
	r.text.WriteString(r.anonymous(string(raw)) + "\n")
}

// ok writes only that a request succeeded, or its error.
func (r *recorder) ok(what string, err error) { r.answer(what, nil, err) }

func (r *recorder) failure(err error) {
	status, ok := err.(apierrors.APIStatus)
	require.True(r.t, ok, "%T %v", err, err)
	st := status.Status()
	fmt.Fprintf(&r.text, "%d %s: %s\n", st.Code, st.Reason, r.anonymous(st.Message))
	if st.Details == nil {
		return
	}
	var causes []string
	for _, c := range st.Details.Causes {
		causes = append(causes, fmt.Sprintf("- %s %s: %s", c.Type, c.Field, r.anonymous(c.Message)))
	}
	sort.Strings(causes)
	for _, c := range causes {
		r.text.WriteString(c + "\n")
	}
}

var (
	uuids   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	numbers = regexp.MustCompile(`(resource version|ResourceVersion|current)[^ ]*( in record)? \(?\d+\)?|current: \d+`)
)

func (r *recorder) anonymous(s string) string {
	s = uuids.ReplaceAllStringFunc(s, func(id string) string {
		if r.uids[id] == "" {
			r.uids[id] = fmt.Sprintf("<uid-%d>", len(r.uids)+1)
		}
		return r.uids[id]
	})
	s = numbers.ReplaceAllString(s, "<version>")
	return times.ReplaceAllString(s, "<time>")
}

// events writes the events of a watch, up to that of the object named last.
func (r *recorder) events(w watch.Interface, last string) {
	for {
		select {
		case ev := <-w.ResultChan():
			o, ok := ev.Object.(object)
			require.True(r.t, ok, "%v", ev)
			fmt.Fprintf(&r.text, "%s %s labels=%v finalizers=%v deleting=%v generation=%d\n", ev.Type, o.GetName(), o.GetLabels(), o.GetFinalizers(),
				o.GetDeletionTimestamp() != nil, o.GetGeneration())
			if o.GetName() == last {
				return
			}
		case <-r.ctx.Done():
			require.FailNow(r.t, "the watch did not come to its end")
		}
	}
}
