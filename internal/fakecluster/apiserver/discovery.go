package apiserver

import (
	"cmp"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// apiGroup is a group with its versions, the preferred one first.
type apiGroup struct {
	name     string
	versions []apiVersion
}

// apiVersion is a version of a group with its resources in the order of their names.
type apiVersion struct {
	schema.GroupVersion
	resources []*resource
}

// groups returns the table of resources by group and version, in the order of the names.
func (m resourceMap) groups() []apiGroup {
	byVersion := map[schema.GroupVersion][]*resource{}
	for gvr, r := range m {
		byVersion[gvr.GroupVersion()] = append(byVersion[gvr.GroupVersion()], r)
	}
	versions := slices.SortedFunc(maps.Keys(byVersion), func(a, b schema.GroupVersion) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), version.CompareKubeAwareVersionStrings(b.Version, a.Version))
	})
	var groups []apiGroup
	for _, gv := range versions {
		resources := byVersion[gv]
		slices.SortFunc(resources, func(a, b *resource) int { return strings.Compare(a.gvr.Resource, b.gvr.Resource) })
		if len(groups) == 0 || groups[len(groups)-1].name != gv.Group {
			groups = append(groups, apiGroup{name: gv.Group})
		}
		last := &groups[len(groups)-1]
		last.versions = append(last.versions, apiVersion{gv, resources})
	}
	return groups
}

// verbs returns the verbs of the resource or a subresource in their order.
func (r *resource) verbs(sub string) metav1.Verbs {
	return slices.Sorted(maps.Keys(r.operations(sub)))
}

// serveDiscovery responds to a request for what is served. It reports whether the path
// is one of discovery.
func (s *Server) serveDiscovery(w http.ResponseWriter, r *http.Request) bool {
	path := strings.TrimSuffix(r.URL.Path, "/")
	groups := s.resources.groups()
	var legacy, named []apiGroup
	for _, g := range groups {
		if g.name == "" {
			legacy = append(legacy, g)
		} else {
			named = append(named, g)
		}
	}
	accept := r.Header.Get("Accept")
	switch {
	case path == "/api" && aggregated(accept):
		serveAggregated(w, legacy)
	case path == "/apis" && aggregated(accept):
		serveAggregated(w, named)
	case path == "/api":
		doc := &metav1.APIVersions{ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{{ClientCIDR: "0.0.0.0/0", ServerAddress: r.Host}}}
		for _, v := range legacy[0].versions {
			doc.Versions = append(doc.Versions, v.Version)
		}
		serveDocument(w, accept, schema.GroupVersionKind{Kind: "APIVersions"}, doc)
	case path == "/apis":
		doc := &metav1.APIGroupList{}
		for _, g := range named {
			doc.Groups = append(doc.Groups, *g.document())
		}
		serveDocument(w, accept, metav1.Unversioned.WithKind("APIGroupList"), doc)
	default:
		return s.serveGroup(w, accept, groups, path)
	}
	return true
}

// serveGroup responds to /apis/<group> and to /api/v1 or /apis/<group>/<version>.
func (s *Server) serveGroup(w http.ResponseWriter, accept string, groups []apiGroup, path string) bool {
	for _, g := range groups {
		if path == "/apis/"+g.name && g.name != "" {
			serveDocument(w, accept, metav1.Unversioned.WithKind("APIGroup"), g.document())
			return true
		}
		for _, v := range g.versions {
			if path == v.path() {
				kind := metav1.Unversioned.WithKind("APIResourceList")
				if v.Group == "" {
					kind.Version = "" // documents of /api have no version of their own
				}
				serveDocument(w, accept, kind, v.document())
				return true
			}
		}
	}
	return false
}

// path returns the path of the version.
func (v apiVersion) path() string {
	if v.Group == "" {
		return "/api/" + v.Version
	}
	return "/apis/" + v.GroupVersion.String()
}

func (g apiGroup) document() *metav1.APIGroup {
	doc := &metav1.APIGroup{Name: g.name}
	for _, v := range g.versions {
		doc.Versions = append(doc.Versions, metav1.GroupVersionForDiscovery{GroupVersion: v.GroupVersion.String(), Version: v.Version})
	}
	doc.PreferredVersion = doc.Versions[0]
	return doc
}

func (v apiVersion) document() *metav1.APIResourceList {
	doc := &metav1.APIResourceList{GroupVersion: v.GroupVersion.String(), APIResources: []metav1.APIResource{}}
	for _, r := range v.resources {
		doc.APIResources = append(doc.APIResources, metav1.APIResource{
			Name: r.gvr.Resource, SingularName: r.singular, Namespaced: r.namespaced, Kind: r.gvk.Kind,
			Verbs: r.verbs(""), ShortNames: r.shortNames, Categories: r.categories,
		})
		for _, sub := range r.subresources() {
			gvk := r.kindOf(sub)
			entry := metav1.APIResource{Name: r.gvr.Resource + "/" + sub, Namespaced: r.namespaced, Kind: gvk.Kind, Verbs: r.verbs(sub)}
			if gvk.GroupVersion() != v.GroupVersion {
				entry.Group, entry.Version = gvk.Group, gvk.Version
			}
			doc.APIResources = append(doc.APIResources, entry)
		}
	}
	return doc
}

// aggregatedType is the media type of aggregated discovery (KEP-3352).
const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// aggregated reports whether the client prefers all versions in one document.
func aggregated(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil || formatOf(mediaType) == nil {
			continue
		}
		switch params["as"] {
		case "":
			return false
		case "APIGroupDiscoveryList":
			if params["g"] == apidiscoveryv2.GroupName && params["v"] == "v2" {
				return true
			}
		}
	}
	return false
}

func serveAggregated(w http.ResponseWriter, groups []apiGroup) {
	doc := &apidiscoveryv2.APIGroupDiscoveryList{}
	for _, g := range groups {
		item := apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: g.name}}
		for _, v := range g.versions {
			item.Versions = append(item.Versions, v.aggregated())
		}
		doc.Items = append(doc.Items, item)
	}
	body, err := jsonFormat.object(apidiscoveryv2.SchemeGroupVersion.WithKind("APIGroupDiscoveryList"), doc)
	writeDocument(w, aggregatedType, body, err)
}

func (v apiVersion) aggregated() apidiscoveryv2.APIVersionDiscovery {
	doc := apidiscoveryv2.APIVersionDiscovery{Version: v.Version, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent}
	for _, r := range v.resources {
		entry := apidiscoveryv2.APIResourceDiscovery{
			Resource: r.gvr.Resource, ResponseKind: responseKind(r.gvk), Scope: apidiscoveryv2.ScopeCluster,
			SingularResource: r.singular, Verbs: r.verbs(""), ShortNames: r.shortNames, Categories: r.categories,
		}
		if r.namespaced {
			entry.Scope = apidiscoveryv2.ScopeNamespace
		}
		for _, sub := range r.subresources() {
			entry.Subresources = append(entry.Subresources, apidiscoveryv2.APISubresourceDiscovery{
				Subresource: sub, ResponseKind: responseKind(r.kindOf(sub)), Verbs: r.verbs(sub),
			})
		}
		doc.Resources = append(doc.Resources, entry)
	}
	return doc
}

func responseKind(gvk schema.GroupVersionKind) *metav1.GroupVersionKind {
	return &metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}
}

// serveDocument responds with an object of the API machinery.
func serveDocument(w http.ResponseWriter, accept string, gvk schema.GroupVersionKind, doc runtime.Object) {
	f := jsonFormat
	for part := range strings.SplitSeq(accept, ",") {
		if mediaType, params, err := mime.ParseMediaType(part); err == nil && params["as"] == "" && formatOf(mediaType) != nil {
			f = formatOf(mediaType)
			break
		}
	}
	body, err := f.object(gvk, doc)
	writeDocument(w, f.mediaType, body, err)
}

func writeDocument(w http.ResponseWriter, contentType string, body []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) // the client may have canceled the request
}
