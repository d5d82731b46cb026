package apiserver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// Custom resources of the tests: one with a status subresource, and a cluster-scoped one
// without.
var (
	executions = Kind{Group: "example.com", Version: "v1", Kind: "Execution", ShortNames: []string{"exec"}, Categories: []string{"all"}, Status: true}
	fleets     = Kind{Group: "example.com", Version: "v1", Kind: "Fleet", ClusterScoped: true}

	executionsGVR = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "executions"}
	fleetsGVR     = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "fleets"}
)

func newCustomServer(t testing.TB) (*Server, dynamic.Interface) {
	s, _ := newServer(t, Options{Kinds: []Kind{executions, fleets}})
	return s, dynamicClient(t, s)
}

// dynamicClient returns a client without a limit of requests.
func dynamicClient(t testing.TB, s *Server) dynamic.Interface {
	t.Helper()
	config := s.Config("")
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{}
	c, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return c
}

// execution returns an object with a field in spec and status.
func execution(name string, labels ...string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Execution",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"steps": int64(1)},
		"status":   map[string]any{"phase": "New"},
	}}
	set := map[string]string{}
	for _, l := range labels {
		set[l] = "yes"
	}
	u.SetLabels(set)
	return u
}

func TestCustomResourceWrites(t *testing.T) {
	t.Parallel()
	_, c := newCustomServer(t)
	in := c.Resource(executionsGVR).Namespace(testNamespace)
	ctx := t.Context()

	made, err := in.Create(ctx, execution("a"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, "example.com/v1", made.GetAPIVersion())
	require.Equal(t, "Execution", made.GetKind())
	require.NotEmpty(t, made.GetUID())
	require.NotEmpty(t, made.GetResourceVersion())
	require.EqualValues(t, 1, made.GetGeneration())
	require.NotContains(t, made.Object, "status", "a create ignores the status")
	_, err = in.Create(ctx, execution("a"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonAlreadyExists, `executions.example.com "a" already exists`)
	_, err = in.Create(ctx, execution("A_B"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonInvalid, `Execution.example.com "A_B" is invalid: metadata.name`)

	// The main resource ignores the status.
	next := made.DeepCopy()
	next.Object["spec"], next.Object["status"] = map[string]any{"steps": int64(2)}, map[string]any{"phase": "Done"}
	next, err = in.Update(ctx, next, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, next.GetGeneration())
	require.NotContains(t, next.Object, "status")
	_, err = in.Update(ctx, made, metav1.UpdateOptions{})
	requireReason(t, err, metav1.StatusReasonConflict)
	unversioned := next.DeepCopy()
	unversioned.SetResourceVersion("")
	_, err = in.Update(ctx, unversioned, metav1.UpdateOptions{})
	requireReason(t, err, metav1.StatusReasonInvalid, "metadata.resourceVersion: Invalid value", "must be specified for an update")

	// The status subresource ignores everything else.
	changed := next.DeepCopy()
	changed.SetLabels(map[string]string{"a": "b"})
	changed.Object["spec"], changed.Object["status"] = map[string]any{"steps": int64(9)}, map[string]any{"phase": "Done"}
	changed, err = in.UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, changed.GetGeneration())
	require.Empty(t, changed.GetLabels())
	require.Equal(t, map[string]any{"steps": int64(2)}, changed.Object["spec"])
	require.Equal(t, map[string]any{"phase": "Done"}, changed.Object["status"])
	require.NotEqual(t, next.GetResourceVersion(), changed.GetResourceVersion())

	// Metadata does not count for the generation, and what changes nothing is not written.
	changed.SetLabels(map[string]string{"a": "b"})
	labeled, err := in.Update(ctx, changed, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, labeled.GetGeneration())
	same, err := in.Update(ctx, labeled, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, labeled, same)
}

func TestCustomResourcePatches(t *testing.T) {
	t.Parallel()
	_, c := newCustomServer(t)
	in := c.Resource(executionsGVR).Namespace(testNamespace)
	_, err := in.Create(t.Context(), execution("a"), metav1.CreateOptions{})
	require.NoError(t, err)
	patch := func(pt types.PatchType, body string, sub ...string) (*unstructured.Unstructured, error) {
		return in.Patch(t.Context(), "a", pt, []byte(body), metav1.PatchOptions{}, sub...)
	}
	out, err := patch(types.JSONPatchType, `[{"op":"test","path":"/kind","value":"Execution"},{"op":"replace","path":"/spec/steps","value":5}]`)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"steps": int64(5)}, out.Object["spec"])
	require.EqualValues(t, 2, out.GetGeneration())
	out, err = patch(types.MergePatchType, `{"metadata":{"annotations":{"x":"y"}},"spec":{"steps":null,"more":[1,{"a":2.5}]},"status":{"phase":"no"}}`)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"more": []any{int64(1), map[string]any{"a": 2.5}}}, out.Object["spec"])
	require.Equal(t, map[string]string{"x": "y"}, out.GetAnnotations())
	require.NotContains(t, out.Object, "status")
	out, err = patch(types.MergePatchType, `{"metadata":{"annotations":{"x":"z"}},"spec":{"more":0},"status":{"phase":"Done"}}`, "status")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"phase": "Done"}, out.Object["status"])
	require.Equal(t, map[string]string{"x": "y"}, out.GetAnnotations())

	_, err = patch(types.StrategicMergePatchType, `{}`)
	requireReason(t, err, metav1.StatusReasonUnsupportedMediaType,
		"accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
	_, err = patch(types.MergePatchType, `{"kind":"Other"}`)
	requireReason(t, err, metav1.StatusReasonInvalid, "must be Execution")
	_, err = patch(types.MergePatchType, `{"metadata":{"labels":{"a":7}}}`)
	requireReason(t, err, metav1.StatusReasonInvalid, "cannot unmarshal number")
	_, err = patch(types.MergePatchType, `{"metadata":{"name":"b"}}`)
	requireReason(t, err, metav1.StatusReasonBadRequest, "the name of the object (b) does not match")
}

func TestCustomResourceReads(t *testing.T) {
	t.Parallel()
	_, c := newCustomServer(t)
	in := c.Resource(executionsGVR)
	for _, name := range []string{"a", "b", "c"} {
		_, err := in.Namespace(testNamespace).Create(t.Context(), execution(name, name), metav1.CreateOptions{})
		require.NoError(t, err)
	}
	_, err := in.Namespace("other").Create(t.Context(), execution("a", "b"), metav1.CreateOptions{})
	require.NoError(t, err)
	names := func(opts metav1.ListOptions) (found []string, next string) {
		list, err := in.List(t.Context(), opts)
		require.NoError(t, err)
		require.Equal(t, "ExecutionList", list.GetKind())
		for _, item := range list.Items {
			require.Equal(t, "Execution", item.GetKind())
			found = append(found, item.GetNamespace()+"/"+item.GetName())
		}
		return found, list.GetContinue()
	}
	first, next := names(metav1.ListOptions{Limit: 3})
	require.Equal(t, []string{"other/a", "work/a", "work/b"}, first)
	rest, next := names(metav1.ListOptions{Limit: 3, Continue: next})
	require.Equal(t, []string{"work/c"}, rest)
	require.Empty(t, next)
	byLabel, _ := names(metav1.ListOptions{LabelSelector: "b"})
	require.Equal(t, []string{"other/a", "work/b"}, byLabel)
	byField, _ := names(metav1.ListOptions{FieldSelector: "metadata.name=a,metadata.namespace=work"})
	require.Equal(t, []string{"work/a"}, byField)
	_, err = in.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.steps=1"})
	requireReason(t, err, metav1.StatusReasonBadRequest, "field label not supported: spec.steps")

	require.NoError(t, in.Namespace(testNamespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "b"}))
	left, _ := names(metav1.ListOptions{})
	require.Equal(t, []string{"other/a", "work/a", "work/c"}, left)
}

func TestCustomResourceWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := newCustomServer(t)
		in := c.Resource(executionsGVR).Namespace(testNamespace)
		_, err := in.Create(t.Context(), execution("a", "here"), metav1.CreateOptions{})
		require.NoError(t, err)
		w, err := in.Watch(t.Context(), metav1.ListOptions{
			LabelSelector: "here", AllowWatchBookmarks: true,
			SendInitialEvents: ptr.To(true), ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		})
		require.NoError(t, err)
		defer w.Stop()
		requireObject(t, nextEvent(t, w), watch.Added, "a")
		end := nextEvent(t, w)
		require.Equal(t, watch.Bookmark, end.Type)
		mark, ok := end.Object.(*unstructured.Unstructured)
		require.True(t, ok)
		require.Equal(t, "Execution", mark.GetKind())
		require.Equal(t, "true", mark.GetAnnotations()[metav1.InitialEventsAnnotationKey])
		require.Equal(t, s.ResourceVersion(), mark.GetResourceVersion())

		_, err = in.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"labels":{"here":null}}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		requireObject(t, nextEvent(t, w), watch.Deleted, "a")
		timer := time.NewTimer(61 * time.Second)
		<-timer.C
		require.Equal(t, watch.Bookmark, nextEvent(t, w).Type)
	})
}

func TestCustomResourceDeletion(t *testing.T) {
	t.Parallel()
	_, c := newCustomServer(t)
	in := c.Resource(executionsGVR).Namespace(testNamespace)
	held := execution("a")
	held.SetFinalizers([]string{"example.com/hold"})
	made, err := in.Create(t.Context(), held, metav1.CreateOptions{})
	require.NoError(t, err)
	other := types.UID("other")
	err = in.Delete(t.Context(), "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	requireReason(t, err, metav1.StatusReasonConflict)
	require.NoError(t, in.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	marked, err := in.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotNil(t, marked.GetDeletionTimestamp())
	require.Equal(t, made.GetGeneration()+1, marked.GetGeneration())
	marked.SetFinalizers(nil)
	_, err = in.Update(t.Context(), marked, metav1.UpdateOptions{})
	require.NoError(t, err)
	_, err = in.Get(t.Context(), "a", metav1.GetOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound, `executions.example.com "a" not found`)
}

func TestCustomResourceBadRequests(t *testing.T) {
	t.Parallel()
	s, c := newCustomServer(t)
	_, err := c.Resource(fleetsGVR).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Fleet", "metadata": map[string]any{"name": "f"}, "status": "kept",
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	fleet, err := c.Resource(fleetsGVR).Get(t.Context(), "f", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "kept", fleet.Object["status"], "without the subresource, the status is a field")

	const list = "/apis/example.com/v1/namespaces/work/executions"
	const inJSON = "application/json"
	for name, tc := range map[string]struct {
		method, path, contentType, body string
		code                            int
		says                            string
	}{
		"no such subresource":   {"GET", "/apis/example.com/v1/fleets/f/status", "", "", 404, `fleets.example.com \"f\" not found`},
		"in a namespace":        {"GET", "/apis/example.com/v1/namespaces/work/fleets/f", "", "", 404, "404 page not found"},
		"other version":         {"GET", "/apis/example.com/v2/fleets", "", "", 404, "404 page not found"},
		"protobuf":              {"POST", list, runtime.ContentTypeProtobuf, "k8s\x00", 415, "accepted media types include: application/json, application/yaml"},
		"no kind":               {"POST", list, inJSON, `{"metadata":{"name":"x"}}`, 400, "Object 'Kind' is missing"},
		"kind":                  {"POST", list, inJSON, `{"apiVersion":"example.com/v1","kind":"Fleet"}`, 422, "must be Execution"},
		"version in the body":   {"POST", list, inJSON, `{"apiVersion":"example.com/v2","kind":"Execution"}`, 400, "the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)"},
		"metadata":              {"POST", list, inJSON, `{"apiVersion":"example.com/v1","kind":"Execution","metadata":{"labels":{"a":1}}}`, 400, "cannot unmarshal number"},
		"metadata is a list":    {"POST", list, inJSON, `{"apiVersion":"example.com/v1","kind":"Execution","metadata":[]}`, 400, "cannot unmarshal array"},
		"unknown metadata":      {"POST", list + "?fieldValidation=Strict", inJSON, `{"apiVersion":"example.com/v1","kind":"Execution","metadata":{"name":"x","nick":"y"}}`, 400, `unknown field \"metadata.nick\"`},
		"duplicate":             {"POST", list + "?fieldValidation=Strict", inJSON, `{"apiVersion":"example.com/v1","kind":"Execution","metadata":{"name":"x"},"spec":{"a":1,"a":2}}`, 400, `duplicate field \"spec.a\"`},
		"no namespace":          {"POST", "/apis/example.com/v1/executions", inJSON, "{}", 404, "404 page not found"},
		"unknown field dropped": {"POST", list, inJSON, `{"apiVersion":"example.com/v1","kind":"Execution","metadata":{"name":"x","nick":"y"}}`, 201, `"metadata":{"creationTimestamp"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, body := send(t, s, tc.method, tc.path, tc.contentType, tc.body)
			require.Equal(t, tc.code, code, body)
			require.Contains(t, body, tc.says)
			require.NotContains(t, body, `"nick":`)
		})
	}
}

func TestKindsAreChecked(t *testing.T) {
	t.Parallel()
	for says, kinds := range map[string][]Kind{
		"must not be empty":                {{Group: "example.com", Kind: "A"}},
		"group batch is one of Kubernetes": {{Group: "batch", Version: "v1", Kind: "A"}},
		"there are two with group":         {executions, {Group: "example.com", Version: "v1", Kind: "Other", Plural: "executions"}},
	} {
		_, err := newResourceMap(kinds)
		require.ErrorContains(t, err, says)
	}
	require.Panics(t, func() { New(Options{Kinds: []Kind{{}}}) })
}
