package apiserver

import (
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resolve finds out what a request asks for. It reports false where there is no such
// path; a call without a verb has a path that does not know the method.
func (s *Server) resolve(r *http.Request, query url.Values) (call, bool) {
	var c call
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	gvr := schema.GroupVersionResource{}
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		gvr.Version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		gvr.Group, gvr.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return c, false
	}
	// namespaces/a/pods is in a namespace, namespaces/a/status is one.
	if parts[0] == "namespaces" && len(parts) > 2 && !namespaceSubresources[parts[2]] {
		c.ns, parts = parts[1], parts[2:]
	}
	gvr.Resource = parts[0]
	c.res = s.resources[gvr]
	if c.res == nil || len(parts) > 3 || c.ns != "" && !c.res.namespaced {
		return c, false
	}
	if len(parts) > 1 {
		c.name = parts[1]
	}
	if len(parts) > 2 {
		c.sub = parts[2]
	}
	operations := c.res.operations(c.sub)
	if operations == nil {
		return c, false
	}
	if c.name != "" && c.ns == "" && c.res.namespaced {
		return c, false
	}
	c.verb = verbOf(r.Method, c, query)
	if operations[c.verb] == nil || c.verb == "create" && c.ns == "" && c.res.namespaced {
		c.verb = ""
	}
	return c, true
}

var namespaceSubresources = map[string]bool{"status": true, "finalize": true}

// verbOf returns the verb of Kubernetes' authorization.
func verbOf(method string, c call, query url.Values) string {
	switch {
	case method == http.MethodGet && (query.Get("watch") == "true" || query.Get("watch") == "1") && c.sub == "":
		return "watch"
	case method == http.MethodGet && c.name == "":
		return "list"
	case method == http.MethodGet:
		return "get"
	case method == http.MethodPost && (c.name == "" || c.sub != ""):
		return "create"
	case method == http.MethodPut && c.name != "":
		return "update"
	case method == http.MethodPatch && c.name != "":
		return "patch"
	case method == http.MethodDelete && c.name == "":
		return "deletecollection"
	case method == http.MethodDelete:
		return "delete"
	}
	return ""
}

// selectedName returns the name that the request's field selector requires.
func selectedName(query url.Values) string {
	selector, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return ""
	}
	name, _ := selector.RequiresExactMatch("metadata.name")
	return name
}
