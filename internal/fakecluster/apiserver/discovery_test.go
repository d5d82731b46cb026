package apiserver

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

func newDiscoveryClient(t *testing.T, s *Server) *discovery.DiscoveryClient {
	t.Helper()
	c, err := discovery.NewDiscoveryClientForConfig(s.Config(""))
	require.NoError(t, err)
	return c
}

// TestDiscovery compares both forms of discovery with the table of resources.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	s, _ := newCustomServer(t)
	c := newDiscoveryClient(t, s)
	groups, lists, err := c.ServerGroupsAndResourcesWithContext(t.Context())
	require.NoError(t, err)
	legacyGroups, legacyLists, err := c.WithLegacyWithContext(t.Context()).ServerGroupsAndResourcesWithContext(t.Context())
	require.NoError(t, err)

	byName := func(groups []*metav1.APIGroup) map[string]metav1.APIGroup {
		m := map[string]metav1.APIGroup{}
		for _, g := range groups {
			m[g.Name] = *g
		}
		return m
	}
	require.Equal(t, byName(groups), byName(legacyGroups))
	require.Equal(t, "autoscaling/v2", byName(groups)["autoscaling"].PreferredVersion.GroupVersion)

	flat := func(lists []*metav1.APIResourceList) map[string]metav1.APIResource {
		m := map[string]metav1.APIResource{}
		for _, list := range lists {
			for _, r := range list.APIResources {
				if strings.Contains(r.Name, "/") {
					r.SingularName = "" // client-go fills it in from the aggregated form
				}
				// Only the aggregated form repeats the group and version.
				if gv := (schema.GroupVersion{Group: r.Group, Version: r.Version}); gv.String() == list.GroupVersion {
					r.Group, r.Version = "", ""
				}
				m[list.GroupVersion+" "+r.Name] = r
			}
		}
		return m
	}
	found := flat(lists)
	require.Equal(t, found, flat(legacyLists))
	whole := 0
	for name := range found {
		if !strings.Contains(name[strings.LastIndex(name, " "):], "/") {
			whole++
		}
	}
	require.Len(t, s.resources, whole)
	require.Equal(t, metav1.APIResource{
		Name: "executions", SingularName: "execution", Namespaced: true, Kind: "Execution", ShortNames: []string{"exec"}, Categories: []string{"all"},
		Verbs: metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"},
	}, found["example.com/v1 executions"])
	require.Equal(t, metav1.APIResource{Name: "executions/status", Namespaced: true, Kind: "Execution", Verbs: metav1.Verbs{"get", "patch", "update"}},
		found["example.com/v1 executions/status"])
	require.False(t, found["example.com/v1 fleets"].Namespaced)
	require.NotContains(t, found, "example.com/v1 fleets/status")
	require.Equal(t, metav1.APIResource{Name: "pods/eviction", Namespaced: true, Group: "policy", Version: "v1", Kind: "Eviction", Verbs: metav1.Verbs{"create"}},
		found["v1 pods/eviction"])
	require.Equal(t, metav1.APIResource{Name: "pods/log", Namespaced: true, Kind: "Pod", Verbs: metav1.Verbs{"get"}}, found["v1 pods/log"])
	require.Equal(t, metav1.Verbs{"create"}, found["authorization.k8s.io/v1 selfsubjectaccessreviews"].Verbs)
	require.NotContains(t, found["v1 namespaces"].Verbs, "deletecollection")
}

func TestRESTMapper(t *testing.T) {
	t.Parallel()
	s, _ := newCustomServer(t)
	groups, err := restmapper.GetAPIGroupResources(newDiscoveryClient(t, s))
	require.NoError(t, err)
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "example.com", Kind: "Execution"})
	require.NoError(t, err)
	require.Equal(t, executionsGVR, mapping.Resource)
	require.Equal(t, meta.RESTScopeNameNamespace, mapping.Scope.Name())
	gvr, err := mapper.ResourceFor(schema.GroupVersionResource{Resource: "job"})
	require.NoError(t, err)
	require.Equal(t, batchv1.SchemeGroupVersion.WithResource("jobs"), gvr)
	short, err := restmapper.NewShortcutExpander(mapper, newDiscoveryClient(t, s), nil).ResourceFor(schema.GroupVersionResource{Resource: "exec"})
	require.NoError(t, err)
	require.Equal(t, executionsGVR, short)
}

// TestEveryResource stores an object of each resource with the dynamic client, and reads
// it with the metadata client.
func TestEveryResource(t *testing.T) {
	t.Parallel()
	s, dyn := newCustomServer(t)
	config := s.Config("")
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{}
	partial, err := metadata.NewForConfig(config)
	require.NoError(t, err)
	lists, err := newDiscoveryClient(t, s).ServerPreferredResources()
	require.NoError(t, err)
	tried := 0
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "get") {
				continue
			}
			tried++
			t.Run(r.Name+"."+gv.Group, func(t *testing.T) {
				t.Parallel()
				gvr, namespace := gv.WithResource(r.Name), ""
				if r.Namespaced {
					namespace = testNamespace
				}
				obj := &unstructured.Unstructured{}
				obj.SetGroupVersionKind(gv.WithKind(r.Kind))
				obj.SetName("x-" + r.SingularName)
				obj.SetLabels(map[string]string{"kind": r.SingularName})
				switch r.Kind {
				case "Pod":
					obj.Object["spec"] = map[string]any{"containers": []any{map[string]any{"name": "main", "image": "i"}}}
				case "Job":
					obj.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{
						"restartPolicy": "Never", "containers": []any{map[string]any{"name": "main", "image": "i"}}}}}
				}
				w, err := partial.Resource(gvr).Namespace(namespace).Watch(t.Context(), metav1.ListOptions{LabelSelector: "kind"})
				require.NoError(t, err)
				defer w.Stop()
				made, err := dyn.Resource(gvr).Namespace(namespace).Create(t.Context(), obj, metav1.CreateOptions{})
				require.NoError(t, err)
				require.Equal(t, r.Kind, made.GetKind())
				got, err := partial.Resource(gvr).Namespace(namespace).Get(t.Context(), obj.GetName(), metav1.GetOptions{})
				require.NoError(t, err)
				require.Equal(t, *meta.AsPartialObjectMetadata(made), *withoutKind(got))
				all, err := partial.Resource(gvr).List(t.Context(), metav1.ListOptions{LabelSelector: "kind=" + r.SingularName})
				require.NoError(t, err)
				require.Len(t, all.Items, 1)
				require.Equal(t, got.ObjectMeta, all.Items[0].ObjectMeta)
				ev, ok := (<-w.ResultChan()).Object.(*metav1.PartialObjectMetadata)
				require.True(t, ok)
				require.Equal(t, got.ObjectMeta, ev.ObjectMeta)
				require.NoError(t, partial.Resource(gvr).Namespace(namespace).Delete(t.Context(), obj.GetName(), metav1.DeleteOptions{}))
			})
		}
	}
	require.Greater(t, tried, 50)
}

func withoutKind(o *metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata {
	o.TypeMeta = metav1.TypeMeta{}
	return o
}

func TestRepresentations(t *testing.T) {
	t.Parallel()
	s, c := newCustomServer(t)
	_, err := c.Resource(executionsGVR).Namespace(testNamespace).Create(t.Context(), execution("a"), metav1.CreateOptions{})
	require.NoError(t, err)
	const one, list = "/apis/example.com/v1/namespaces/work/executions/a", "/apis/example.com/v1/executions"
	const partial = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	for name, tc := range map[string]struct {
		path, accept string
		code         int
		contentType  string
		says         string
	}{
		"metadata":             {one, "application/json" + partial, 200, "application/json", `"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1"`},
		"metadata in protobuf": {one, "application/vnd.kubernetes.protobuf" + partial, 200, "application/vnd.kubernetes.protobuf", "PartialObjectMetadata"},
		"not in protobuf":      {one, "application/vnd.kubernetes.protobuf", 406, "application/vnd.kubernetes.protobuf", "only the following media types are accepted"},
		"YAML":                 {one, "application/yaml", 200, "application/yaml", "apiVersion: example.com/v1\nkind: Execution\n"},
		"list in YAML":         {"/api/v1/pods", "application/yaml", 200, "application/yaml", "apiVersion: v1\nitems: []\nkind: PodList\n"},
		"watch in YAML":        {"/api/v1/pods?watch=1", "application/yaml", 406, "application/yaml", "application/json;stream=watch"},
		"second choice":        {one, "application/vnd.kubernetes.protobuf,application/json", 200, "application/json", `"kind":"Execution"`},
		"object of a list":     {list, "application/json" + partial, 406, "application/json", "you requested PartialObjectMetadata, but the requested object is a list (*unstructured.UnstructuredList)"},
		"object of pods":       {"/api/v1/pods", "application/json" + partial, 406, "application/json", "but the requested object is a list (*core.PodList)"},
		"list of an object":    {one, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", 500, "application/json", "content is not a list"},
		"list of a namespace":  {"/api/v1/namespaces/none", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", 406, "application/json", "but the requested object is not a list (*core.Namespace)"},
		"no such version":      {one, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v7", 406, "application/json", "only the following media types are accepted"},
		"no such group":        {"/apis/example.org", "", 404, "text/plain; charset=utf-8", "404 page not found"},
		"one group":            {"/apis/example.com/", "*/*", 200, "application/json", `"kind":"APIGroup"`},
		"group in protobuf":    {"/apis", "application/vnd.kubernetes.protobuf", 200, "application/vnd.kubernetes.protobuf", "example.com"},
		"version":              {"/version", "", 200, "application/json", `"gitVersion":"v1.37.2"`},
		"healthy":              {"/livez", "", 200, "text/plain; charset=utf-8", "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, nil)
			req.Header.Set("Accept", tc.accept)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			require.Equal(t, tc.code, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tc.says)
			require.Equal(t, tc.contentType, w.Header().Get("Content-Type"))
		})
	}
}
