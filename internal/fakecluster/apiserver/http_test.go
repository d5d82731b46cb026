package apiserver

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// send makes one raw request and returns the code and the body.
func send(t *testing.T, s *Server, method, path, contentType, body string) (int, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	resp, err := transport{s}.RoundTrip(req)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(raw)
}

// TestBadRequests compares the errors with those of a real API server.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	createJob(t, c, testJob("a"))
	const jobs = "/apis/batch/v1/namespaces/work/jobs"
	const inJSON = "application/json"
	long := `{"metadata":{"name":"` + strings.Repeat("x", maxBody) + `"}}`
	for name, tc := range map[string]struct {
		method, path, contentType, body string
		code                            int
		reason                          metav1.StatusReason
		says                            string
	}{
		"no such path":         {"GET", "/nothing", "", "", 404, "", "404 page not found"},
		"no such group":        {"GET", "/apis/example.org/v1/things", "", "", 404, "", "404 page not found"},
		"no such resource":     {"GET", "/apis/batch/v1/namespaces/work/things", "", "", 404, metav1.StatusReasonNotFound, "the server could not find the requested resource"},
		"no such version":      {"GET", "/apis/batch/v1beta1/cronjobs", "", "", 404, metav1.StatusReasonNotFound, "the server could not find the requested resource"},
		"no such subresource":  {"GET", jobs + "/a/log", "", "", 404, metav1.StatusReasonNotFound, "the server could not find the requested resource"},
		"no namespace":         {"GET", "/apis/batch/v1/jobs/a", "", "", 404, metav1.StatusReasonNotFound, "the server could not find the requested resource"},
		"needs no namespace":   {"GET", "/api/v1/namespaces/work/nodes", "", "", 404, metav1.StatusReasonNotFound, "the server could not find the requested resource"},
		"method":               {"POST", jobs + "/a", inJSON, "{}", 405, metav1.StatusReasonMethodNotAllowed, "the server does not allow this method on the requested resource"},
		"create everywhere":    {"POST", "/apis/batch/v1/jobs", inJSON, "{}", 405, metav1.StatusReasonMethodNotAllowed, "the server does not allow this method on the requested resource"},
		"create a status":      {"POST", jobs + "/a/status", inJSON, "{}", 405, metav1.StatusReasonMethodNotAllowed, "the server does not allow this method on the requested resource"},
		"not found":            {"GET", jobs + "/b", "", "", 404, metav1.StatusReasonNotFound, `jobs.batch "b" not found`},
		"media type":           {"POST", jobs, "text/csv", "a,b", 415, metav1.StatusReasonUnsupportedMediaType, "accepted media types include: application/json"},
		"patch type":           {"PATCH", jobs + "/a", inJSON, "{}", 415, metav1.StatusReasonUnsupportedMediaType, "415: Unsupported Media Type"},
		"no JSON":              {"POST", jobs, inJSON, "nonsense, and a lot of it, which is cut", 400, metav1.StatusReasonBadRequest, "must be of type Job"},
		"empty":                {"POST", jobs, inJSON, "", 400, metav1.StatusReasonBadRequest, "<empty>"},
		"wrong type of field":  {"POST", jobs, inJSON, `{"kind":"Job","apiVersion":"batch/v1","spec":{"parallelism":"two"}}`, 400, metav1.StatusReasonBadRequest, `Job in version "v1" cannot be handled as a Job: json: cannot unmarshal`},
		"wrong kind":           {"POST", jobs, inJSON, `{"kind":"Pod","apiVersion":"v1"}`, 400, metav1.StatusReasonBadRequest, `Pod in version "v1" cannot be handled as a Job`},
		"unknown field":        {"POST", jobs + "?fieldValidation=Strict", inJSON, `{"kind":"Job","apiVersion":"batch/v1","spec":{"paralellism":2}}`, 400, metav1.StatusReasonBadRequest, `unknown field "spec.paralellism"`},
		"another name":         {"PUT", jobs + "/a", inJSON, `{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"b"}}`, 400, metav1.StatusReasonBadRequest, "the name of the object (b) does not match the name on the URL (a)"},
		"invalid":              {"POST", jobs, inJSON, `{"metadata":{"name":"A_B"}}`, 422, metav1.StatusReasonInvalid, "a lowercase RFC 1123 subdomain"},
		"dry run":              {"POST", jobs + "?dryRun=Some", inJSON, `{}`, 422, metav1.StatusReasonInvalid, `dryRun: Unsupported value: ["Some"]: supported values: "All"`},
		"too large":            {"POST", jobs, inJSON, long, 413, metav1.StatusReasonRequestEntityTooLarge, "limit is 3145728"},
		"limit":                {"GET", jobs + "?limit=many", "", "", 400, metav1.StatusReasonBadRequest, "many"},
		"selector":             {"GET", jobs + "?labelSelector=%3D%3D", "", "", 400, metav1.StatusReasonBadRequest, "found '==', expected: !, identifier"},
		"field selector":       {"GET", jobs + "?fieldSelector=spec.suspend%3Dtrue", "", "", 400, metav1.StatusReasonBadRequest, `field label "spec.suspend" not supported for Job`},
		"version to list from": {"GET", jobs + "?resourceVersion=new", "", "", 400, metav1.StatusReasonBadRequest, "invalid resource version"},
		"continue token":       {"GET", jobs + "?continue=x", "", "", 400, metav1.StatusReasonBadRequest, "invalid continue token"},
		"tail of a log":        {"GET", "/api/v1/namespaces/work/pods/p/log?tailLines=few", "", "", 400, metav1.StatusReasonBadRequest, "few"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, body := send(t, s, tc.method, tc.path, tc.contentType, tc.body)
			require.Equal(t, tc.code, code, body)
			if tc.reason == "" {
				require.Contains(t, body, tc.says)
				return
			}
			var status metav1.Status
			require.NoError(t, json.Unmarshal([]byte(body), &status))
			require.Contains(t, status.Message, tc.says)
			require.Equal(t, "Status", status.Kind)
			require.Equal(t, metav1.StatusFailure, status.Status)
			require.Equal(t, tc.reason, status.Reason)
			require.Equal(t, int32(tc.code), status.Code)
		})
	}
}

func TestNotAcceptable(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	for accept, want := range map[string]string{
		"":                                    runtime.ContentTypeJSON,
		"*/*":                                 runtime.ContentTypeJSON,
		"text/html, application/json":         runtime.ContentTypeJSON,
		runtime.ContentTypeProtobuf + ", */*": runtime.ContentTypeProtobuf,
		"application/json;as=Nothing;v=v1;g=x,*/*": runtime.ContentTypeJSON,
		"application/yaml":                         runtime.ContentTypeYAML,
		"text/html":                                "",
	} {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/pods", nil)
		req.Header.Set("Accept", accept)
		resp, err := transport{s}.RoundTrip(req)
		require.NoError(t, err)
		if want == "" {
			require.Equal(t, http.StatusNotAcceptable, resp.StatusCode)
			continue
		}
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, want, resp.Header.Get("Content-Type"))
	}
}

// TestEncodings shows that a client receives the same objects in JSON and in protobuf, one
// at a time, in lists and in watches.
func TestEncodings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		client := func(contentType string) kubernetes.Interface {
			config := s.Config("me")
			config.ContentType = contentType
			c, err := kubernetes.NewForConfig(config)
			require.NoError(t, err)
			return c
		}
		var seen [2][]any
		created := createJob(t, s.Clientset(), testJob("a"))
		for i, c := range []kubernetes.Interface{client(runtime.ContentTypeJSON), client(runtime.ContentTypeProtobuf)} {
			jobs := c.BatchV1().Jobs(testNamespace)
			got, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, created, got)
			list, err := jobs.List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			require.Equal(t, []batchv1.Job{*created}, list.Items)
			w, err := jobs.Watch(t.Context(), metav1.ListOptions{SendInitialEvents: ptr.To(true), AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan})
			require.NoError(t, err)
			require.Equal(t, watch.Event{Type: watch.Added, Object: created}, <-w.ResultChan())
			mark := <-w.ResultChan()
			w.Stop()
			got.Spec.Parallelism = ptr.To(int32(2))
			_, err = jobs.Update(t.Context(), got, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
			require.NoError(t, err)
			_, err = jobs.Get(t.Context(), "b", metav1.GetOptions{})
			seen[i] = append(seen[i], list, mark, err)
		}
		require.Equal(t, seen[0], seen[1])
	})
}

// TestRateLimit: client-go's own limit of a client's requests is in force.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		config := s.Config("me")
		config.QPS, config.Burst = 1, 1
		c, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		begin := time.Now()
		for range 4 {
			createJob(t, c, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{GenerateName: "a"}, Spec: testJob("").Spec})
		}
		require.Equal(t, 3*time.Second, time.Since(begin))
	})
}

// warned collects the warnings of a client.
type warned struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warned) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func TestWarningsAndUserAgent(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	var w warned
	config := s.Config("me")
	config.WarningHandler, config.UserAgent, config.ContentType = &w, "tester/1", runtime.ContentTypeJSON
	agents := map[string]bool{}
	defer s.AddAudit(func(r Request, _ error) { agents[r.User+" "+r.UserAgent] = true })()
	c, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	createJob(t, c, testJob("a.b"))
	require.NoError(t, c.BatchV1().Jobs(testNamespace).Delete(t.Context(), "a.b", metav1.DeleteOptions{}))
	require.NoError(t, c.BatchV1().RESTClient().Post().Namespace(testNamespace).Resource("jobs").SetHeader("Content-Type", runtime.ContentTypeJSON).
		Body([]byte(`{"metadata":{"name":"c"},"spec":{"odd":1,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"b"}]}}}}`)).Do(t.Context()).Error())
	require.Len(t, w.texts, 3)
	require.Contains(t, w.texts[0], "metadata.name: this is used in Pod names and hostnames")
	require.Contains(t, w.texts[1], "child pods are preserved by default when jobs are deleted")
	require.Contains(t, w.texts[2], `unknown field "spec.odd"`)
	require.Equal(t, map[string]bool{"me tester/1": true}, agents)
}

// TestNetwork: the handler works behind a real listener too.
func TestNetwork(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, BearerToken: "me"})
	require.NoError(t, err)
	t.Cleanup(c.CoreV1().RESTClient().(*rest.RESTClient).Client.CloseIdleConnections)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := c.BatchV1().Jobs(testNamespace).Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	defer w.Stop()
	createJob(t, c, testJob("a"))
	requireObject(t, nextEvent(t, w), watch.Added, "a")
	require.Equal(t, 1, s.Stats().Count("me", "create", "jobs"))
	require.Equal(t, 1, s.CutWatches(WatchMatch{User: "me"}))
	_, open := <-w.ResultChan()
	require.False(t, open)
	defer s.AddFault(Fault{Match: Match{User: "me", Verb: "create"}, Before: io.ErrUnexpectedEOF})()
	_, err = c.BatchV1().Jobs(testNamespace).Create(t.Context(), testJob("b"), metav1.CreateOptions{})
	require.ErrorIs(t, err, io.EOF, "the connection is reset")
	require.False(t, apierrors.IsInternalError(err))
}

// TestBackpressure: a handler that writes more than the client reads waits for it.
func TestBackpressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newConnection(t.Context(), func(error) {})
		written := 0
		go func() {
			defer x.finish()
			for range 10 {
				n, _ := x.Write(make([]byte, window/2))
				written += n
			}
		}()
		synctest.Wait()
		require.Equal(t, window, written)
		got, err := io.ReadAll(x)
		require.NoError(t, err)
		require.Len(t, got, 5*window)
		require.NoError(t, x.Close())
		_, err = x.Read(make([]byte, 1))
		require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
	})
}
