package apiserver

import (
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// Kind is a custom resource with one version, as a CustomResourceDefinition declares it.
// Its schema accepts every field.
type Kind struct {
	// Group, Version and Kind are required. The group must not be one of Kubernetes.
	Group, Version, Kind string
	// Plural is the name in paths. Default: the plural of Kind in lower case.
	Plural string
	// Singular is what kubectl accepts instead of Plural. Default: Kind in lower case.
	Singular string
	// ShortNames are abbreviations for kubectl.
	ShortNames []string
	// Categories are groups of resources for kubectl, such as "all".
	Categories []string
	// Status adds the status subresource: writes of the resource then ignore the status,
	// and writes of the subresource everything else.
	Status bool
	// ClusterScoped is for objects outside namespaces.
	ClusterScoped bool
}

// resource returns the resource with its defaults.
func (k Kind) resource() (*resource, error) {
	if k.Group == "" || k.Version == "" || k.Kind == "" {
		return nil, fmt.Errorf("group %q, version %q and kind %q must not be empty", k.Group, k.Version, k.Kind)
	}
	if scheme.Scheme.IsGroupRegistered(k.Group) {
		return nil, fmt.Errorf("group %s is one of Kubernetes", k.Group)
	}
	gvk := schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
	gvr, _ := meta.UnsafeGuessKindToResource(gvk)
	if k.Plural != "" {
		gvr.Resource = k.Plural
	}
	if k.Singular == "" {
		k.Singular = strings.ToLower(k.Kind)
	}
	return &resource{
		gvr: gvr, gvk: gvk,
		singular: k.Singular, shortNames: k.ShortNames, categories: k.Categories,
		namespaced: !k.ClusterScoped,
		hasStatus:  k.Status,
		custom:     true,
		strategy:   registry.CustomStrategy(k.Status),
	}, nil
}

// CheckKinds returns an error for kinds with which [New] would panic.
func CheckKinds(kinds []Kind) error {
	_, err := newResourceMap(kinds)
	return err
}

// resourceMap is the one table of resources: what is served, discovered and described.
type resourceMap map[schema.GroupVersionResource]*resource

// newResourceMap returns the resources of Kubernetes and the custom ones.
func newResourceMap(kinds []Kind) (resourceMap, error) {
	if len(kinds) == 0 {
		return knownResources(), nil
	}
	all := maps.Clone(knownResources())
	taken := map[schema.GroupKind]bool{}
	for _, k := range kinds {
		r, err := k.resource()
		if err != nil {
			return nil, fmt.Errorf("kind %s: %w", k.Kind, err)
		}
		if all[r.gvr] != nil || taken[r.gvk.GroupKind()] {
			return nil, fmt.Errorf("kind %s: there are two with group %s and plural %s", k.Kind, k.Group, r.gvr.Resource)
		}
		all[r.gvr], taken[r.gvk.GroupKind()] = r, true
	}
	return all, nil
}

// CustomResources returns the custom resources in the order of their registration.
func (s *Server) CustomResources() []schema.GroupVersionResource {
	var found []schema.GroupVersionResource
	for _, k := range s.opts.Kinds {
		if r, err := k.resource(); err == nil {
			found = append(found, r.gvr)
		}
	}
	return found
}

// Serves reports whether there are requests with that verb for a resource or subresource
// of that name ("jobs", "pods/log"), in any group. Empty is any.
func (s *Server) Serves(verb, resource string) bool {
	base, sub, _ := cutResource(resource)
	for gvr, r := range s.resources {
		if base != "" && base != gvr.Resource {
			continue
		}
		if operations := r.operations(sub); operations != nil && (verb == "" || operations[verb] != nil) {
			return true
		}
	}
	return false
}
