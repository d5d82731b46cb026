package apiserver

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kontinue/kontinue/internal/fakecluster/openapi"
)

// serveOpenAPI responds to /openapi/v3 and to the documents in its index. It reports
// whether the path is one of them.
func (s *Server) serveOpenAPI(w http.ResponseWriter, r *http.Request) bool {
	path, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/openapi/v3")
	if !ok {
		return false
	}
	type location struct {
		ServerRelativeURL string `json:"serverRelativeURL"`
	}
	index := map[string]location{}
	for _, g := range s.resources.groups() {
		for _, v := range g.versions {
			if path == v.path() {
				body, err := openapi.Document(s.opts.Version, v.described())
				writeDocument(w, jsonFormat.mediaType, body, err)
				return true
			}
			index[strings.TrimPrefix(v.path(), "/")] = location{fmt.Sprintf("/openapi/v3%s?hash=%s", v.path(), v.hash(s.opts.Version))}
		}
	}
	if path != "" {
		return false
	}
	body, err := json.Marshal(map[string]any{"paths": index})
	writeDocument(w, jsonFormat.mediaType, body, err)
	return true
}

// hash changes whenever the document does, so that clients can keep it.
func (v apiVersion) hash(version string) string {
	h := sha256.New()
	_, _ = fmt.Fprintln(h, version)
	for _, r := range v.resources {
		_, _ = fmt.Fprintln(h, r.gvk, r.gvr, r.namespaced, r.subresources())
	}
	return fmt.Sprintf("%X", h.Sum(nil))
}

// described returns the resources and subresources of the version for its document.
func (v apiVersion) described() []openapi.Resource {
	var all []openapi.Resource
	for _, r := range v.resources {
		path := v.path() + "/"
		if r.namespaced {
			path += "namespaces/{namespace}/"
		}
		path += r.gvr.Resource + "/{name}"
		for _, sub := range append([]string{""}, r.subresources()...) {
			d := openapi.Resource{Path: path, Kind: r.kindOf(sub), Verbs: r.verbs(sub), PatchTypes: patchTypes(r)}
			if sub != "" {
				d.Path += "/" + sub
			}
			if !r.custom {
				d.Type = typeOf(d.Kind)
			}
			all = append(all, d)
		}
	}
	return all
}

// typeOf returns the Go type of a kind of client-go's scheme.
func typeOf(gvk schema.GroupVersionKind) reflect.Type { return scheme.Scheme.AllKnownTypes()[gvk] }
