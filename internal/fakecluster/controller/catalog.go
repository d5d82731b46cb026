package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
)

// catalog knows the resources of the API server. It asks once, when it is needed.
type catalog struct {
	client discovery.DiscoveryInterface

	mu     sync.Mutex
	groups []*restmapper.APIGroupResources
	mapper meta.RESTMapper
}

// load asks the API server.
func (c *catalog) load(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mapper != nil {
		return nil
	}
	groups, err := restmapper.GetAPIGroupResourcesWithContext(ctx, discovery.ToDiscoveryInterfaceWithContext(c.client))
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	c.groups, c.mapper = groups, restmapper.NewDiscoveryRESTMapper(groups)
	return nil
}

// mapping returns the resource of a kind, or nil if the API server has none.
func (c *catalog) mapping(ctx context.Context, apiVersion, kind string) (*meta.RESTMapping, error) {
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind) // of no group if it cannot be parsed
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	return mapping, err
}

// namespaced returns the resources whose objects are in namespaces and can be deleted.
func (c *catalog) namespaced(ctx context.Context) ([]schema.GroupVersionResource, error) {
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	var found []schema.GroupVersionResource
	for _, group := range c.groups {
		for version, resources := range group.VersionedResources {
			gv := schema.GroupVersion{Group: group.Group.Name, Version: version}
			for _, r := range resources {
				if r.Namespaced && !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "deletecollection") {
					found = append(found, gv.WithResource(r.Name))
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b schema.GroupVersionResource) int { return strings.Compare(a.String(), b.String()) })
	return found, nil
}
