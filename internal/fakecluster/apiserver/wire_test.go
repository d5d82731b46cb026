package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const wireGolden = "testdata/wire.golden"

// TestWire sends requests as they are on the wire, and compares code, media type,
// warnings and body with those of kube-apiserver 1.37.2: custom resources, discovery,
// tables, apply, dry runs and the validation of fields. It is recorded like
// TestTranscript, from a new server.
func TestWire(t *testing.T) {
	t.Parallel()
	if *record != "" {
		config, err := clientcmd.BuildConfigFromFlags("", *record)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(wireGolden, []byte(wireTranscript(t, config, true)), 0o644))
		return
	}
	want, err := os.ReadFile(wireGolden)
	require.NoError(t, err)
	var got string
	synctest.Test(t, func(t *testing.T) { // the order of managed fields depends on the second
		s := New(Options{RequireNamespaces: true, Kinds: []Kind{executions}})
		defer s.Close()
		got = wireTranscript(t, s.Config("me"), false)
	})
	expected, actual := strings.Split(string(want), "## "), strings.Split(got, "## ")
	for i := range min(len(expected), len(actual)) {
		require.Equal(t, expected[i], actual[i])
	}
	require.Len(t, actual, len(expected))
}

// wire records exchanges.
type wire struct {
	recorder
	http *http.Client
	host string
}

func wireTranscript(t *testing.T, config *rest.Config, define bool) string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	w := &wire{recorder: recorder{t: t, ctx: ctx, uids: map[string]string{}}, http: client, host: strings.TrimSuffix(config.Host, "/")}
	if define {
		w.defineExecutions()
	}
	w.send("POST", "/api/v1/namespaces", "application/json", `{"metadata":{"name":"wire"}}`, "")
	for _, part := range []func(*wire){wireCustom, wireDiscovery, wireTables, wireApply, wireFields, wireBad} {
		part(w)
	}
	return w.text.String()
}

// defineExecutions creates the custom resource on a real server, and waits for it.
func (w *wire) defineExecutions() {
	w.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "application/json", `{
		"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"executions.example.com"},
		"spec":{"group":"example.com","scope":"Namespaced",
			"names":{"kind":"Execution","plural":"executions","singular":"execution","shortNames":["exec"],"categories":["all"]},
			"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
				"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`, "")
	require.Eventually(w.t, func() bool {
		code, _, _ := w.exchange("GET", "/apis/example.com/v1/executions", "", "", "")
		return code == http.StatusOK
	}, 30*time.Second, 100*time.Millisecond)
	w.text.Reset()
	clear(w.uids)
}

// exchange sends one request.
func (w *wire) exchange(method, path, contentType, body, accept string) (int, http.Header, []byte) {
	req, err := http.NewRequestWithContext(w.ctx, method, w.host+path, strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("User-Agent", "wire/1")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := w.http.Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp.StatusCode, resp.Header, raw
}

// send records one exchange. Parts select parts of a JSON response.
func (w *wire) send(method, path, contentType, body, accept string, parts ...func(doc map[string]any) any) {
	fmt.Fprintf(&w.text, "## %s %s", method, path)
	for _, extra := range []string{contentType, accept, body} {
		if extra != "" {
			fmt.Fprintf(&w.text, "\n> %s", strings.ReplaceAll(extra, "\n", "\n> "))
		}
	}
	code, header, raw := w.exchange(method, path, contentType, body, accept)
	mediaType := strings.ReplaceAll(header.Get("Content-Type"), " ", "")
	fmt.Fprintf(&w.text, "\n%d %s\n", code, mediaType)
	for _, text := range header.Values("Warning") {
		fmt.Fprintf(&w.text, "Warning: %s\n", text)
	}
	if strings.HasPrefix(mediaType, "application/vnd.kubernetes.protobuf") {
		return
	}
	if !strings.HasPrefix(mediaType, "application/json") {
		w.text.WriteString(w.anonymous(string(raw)) + "\n")
		return
	}
	// A watch has one document a line.
	decoder := json.NewDecoder(bytes.NewReader(raw))
	for decoder.More() {
		var doc map[string]any
		require.NoError(w.t, decoder.Decode(&doc))
		var shown any = doc
		for _, part := range parts {
			shown = part(doc)
		}
		normalize(shown)
		out, err := json.MarshalIndent(shown, "", " ")
		require.NoError(w.t, err)
		w.text.WriteString(ages.ReplaceAllString(w.anonymous(string(out)), `"<age>"`) + "\n")
	}
}

var ages = regexp.MustCompile(`"\d+s"`)

// normalize removes what depends on the server. Fields are managed only where an object
// was applied.
func normalize(doc any) {
	switch doc := doc.(type) {
	case map[string]any:
		if verbs, ok := doc["verbs"].([]any); ok {
			slices.SortFunc(verbs, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		if doc["continue"] == "" {
			delete(doc, "continue") // of a custom resource
		}
		delete(doc, "resourceVersion")
		delete(doc, "storageVersionHash")
		delete(doc, "serverAddressByClientCIDRs")
		if managed, ok := doc["managedFields"].([]any); ok && !slices.ContainsFunc(managed, func(m any) bool {
			entry, ok := m.(map[string]any)
			return ok && entry["operation"] == "Apply"
		}) {
			delete(doc, "managedFields")
		}
		for _, value := range doc {
			normalize(value)
		}
	case []any:
		for _, value := range doc {
			normalize(value)
		}
	}
}
