package apiserver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/openapi3"
)

// TestOpenAPI: the document of every group version can be read, and describes a patch as
// kubectl looks for it.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s, _ := newCustomServer(t)
	root := openapi3.NewRoot(newDiscoveryClient(t, s).OpenAPIV3())
	versions, err := root.GroupVersions()
	require.NoError(t, err)
	require.Contains(t, versions, schema.GroupVersion{Group: "example.com", Version: "v1"})
	require.Contains(t, versions, corev1.SchemeGroupVersion)
	for _, gv := range versions {
		doc, err := root.GVSpec(gv)
		require.NoError(t, err, gv)
		patched := map[string]bool{}
		for path, item := range doc.Paths.Paths {
			if item.Patch == nil {
				continue
			}
			var gvk map[string]string
			require.NoError(t, item.Patch.Extensions.GetObject("x-kubernetes-group-version-kind", &gvk), path)
			patches := schema.GroupVersion{Group: gvk["group"], Version: gvk["version"]}
			require.Equal(t, gv, patches)
			_, strategic := item.Patch.RequestBody.Content[string(types.StrategicMergePatchType)]
			require.Equal(t, gv.Group != "example.com", strategic, path)
			var names []string
			for _, p := range item.Patch.Parameters {
				names = append(names, p.Name)
			}
			require.Equal(t, []string{"dryRun", "fieldManager", "fieldValidation", "force"}, names, path)
			if !strings.HasSuffix(path, "/status") {
				patched[gvk["kind"]] = true
			}
		}
		for _, r := range s.resources {
			if r.gvr.GroupVersion() == gv && reviews[r.gvk] == nil {
				require.True(t, patched[r.gvk.Kind], "%s", r.gvk)
			}
		}
		for name, component := range doc.Components.Schemas {
			require.True(t, len(component.Type) > 0 || len(component.OneOf) == 2, name)
		}
	}
}

// TestOpenAPIMergeKeys: a three-way merge by the document is that by the Go type.
func TestOpenAPIMergeKeys(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	doc, err := openapi3.NewRoot(newDiscoveryClient(t, s).OpenAPIV3()).GVSpec(corev1.SchemeGroupVersion)
	require.NoError(t, err)
	pod := doc.Components.Schemas["io.k8s.api.core.v1.Pod"]
	require.NotNil(t, pod)
	require.Equal(t, "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", pod.Properties["metadata"].AllOf[0].Ref.String())
	require.Equal(t, "date-time", doc.Components.Schemas["io.k8s.apimachinery.pkg.apis.meta.v1.Time"].Format)
	byStruct, err := strategicpatch.NewPatchMetaFromStruct(corev1.Pod{})
	require.NoError(t, err)
	byDocument := strategicpatch.PatchMetaFromOpenAPIV3{Schema: pod, SchemaList: doc.Components.Schemas}
	original := []byte(`{"metadata":{"finalizers":["a","b"]},"spec":{"containers":[{"name":"x","env":[{"name":"A","value":"1"},{"name":"B","value":"1"}],"args":["1"]}],"volumes":[{"name":"v","emptyDir":{}}]}}`)
	modified := []byte(`{"metadata":{"finalizers":["b"]},"spec":{"containers":[{"name":"x","env":[{"name":"A","value":"2"}],"args":["2"]},{"name":"y"}],"volumes":[{"name":"v","configMap":{"name":"c"}}]}}`)
	current := []byte(`{"metadata":{"finalizers":["a","b","c"]},"spec":{"containers":[{"name":"x","env":[{"name":"A","value":"1"},{"name":"B","value":"1"},{"name":"C","value":"1"}],"args":["1"]},{"name":"injected"}],"volumes":[{"name":"v","emptyDir":{}},{"name":"token"}]}}`)
	want, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, byStruct, true)
	require.NoError(t, err)
	got, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, byDocument, true)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
	require.Contains(t, string(got), `"$patch":"delete","name":"B"`)
}

// TestOpenAPIIndex: the hash changes with the document only.
func TestOpenAPIIndex(t *testing.T) {
	t.Parallel()
	index := func(opts Options) map[string]map[string]string {
		s, _ := newServer(t, opts)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi/v3", nil))
		require.Equal(t, http.StatusOK, w.Code)
		var doc struct{ Paths map[string]map[string]string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &doc))
		return doc.Paths
	}
	withStatus, without := index(Options{Kinds: []Kind{executions}}), index(Options{Kinds: []Kind{{Group: "example.com", Version: "v1", Kind: "Execution"}}})
	require.Equal(t, withStatus["apis/batch/v1"], without["apis/batch/v1"])
	require.NotEqual(t, withStatus["apis/example.com/v1"], without["apis/example.com/v1"])
	s, _ := newServer(t)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi/v3/apis/example.com/v1", nil))
	require.Equal(t, http.StatusNotFound, w.Code)
}
