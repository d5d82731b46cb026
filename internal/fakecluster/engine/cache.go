package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
)

// Cache holds every kind of object that the controllers and the kubelet read, so that
// they share one watch per kind.
type Cache struct {
	Pods       *Store[*corev1.Pod]
	Jobs       *Store[*batchv1.Job]
	ConfigMaps *Store[*corev1.ConfigMap]
	Secrets    *Store[*corev1.Secret]
	Leases     *Store[*coordinationv1.Lease]
	Namespaces *Store[*corev1.Namespace]
	// Custom has the metadata of custom resources.
	Custom map[schema.GroupVersionResource]*Store[*metav1.PartialObjectMetadata]

	wg sync.WaitGroup
}

// NewCache returns an empty Cache, also of the given custom resources. Subscribe to its
// stores, then Start it.
func NewCache(custom ...schema.GroupVersionResource) *Cache {
	c := &Cache{
		Pods:       NewStore[*corev1.Pod](),
		Jobs:       NewStore[*batchv1.Job](),
		ConfigMaps: NewStore[*corev1.ConfigMap](),
		Secrets:    NewStore[*corev1.Secret](),
		Leases:     NewStore[*coordinationv1.Lease](),
		Namespaces: NewStore[*corev1.Namespace](),
		Custom:     map[schema.GroupVersionResource]*Store[*metav1.PartialObjectMetadata]{},
	}
	for _, gvr := range custom {
		c.Custom[gvr] = NewStore[*metav1.PartialObjectMetadata]()
	}
	return c
}

// Start fills the Cache from the clients until ctx ends, and returns once every kind
// has been listed or ctx has ended. Wait then waits for its goroutines.
func (c *Cache) Start(ctx context.Context, client kubernetes.Interface, partial metadata.Interface) error {
	Reflect(ctx, &c.wg, c.Pods, client.CoreV1().Pods(""))
	Reflect(ctx, &c.wg, c.Jobs, client.BatchV1().Jobs(""))
	Reflect(ctx, &c.wg, c.ConfigMaps, client.CoreV1().ConfigMaps(""))
	Reflect(ctx, &c.wg, c.Secrets, client.CoreV1().Secrets(""))
	Reflect(ctx, &c.wg, c.Leases, client.CoordinationV1().Leases(""))
	Reflect(ctx, &c.wg, c.Namespaces, client.CoreV1().Namespaces())
	all := []<-chan struct{}{
		c.Pods.Synced(), c.Jobs.Synced(), c.ConfigMaps.Synced(),
		c.Secrets.Synced(), c.Leases.Synced(), c.Namespaces.Synced(),
	}
	for gvr, store := range c.Custom {
		Reflect(ctx, &c.wg, store, partial.Resource(gvr))
		all = append(all, store.Synced())
	}
	for _, synced := range all {
		select {
		case <-synced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// CustomResources returns the custom resources in the order of their names.
func (c *Cache) CustomResources() []schema.GroupVersionResource {
	return slices.SortedFunc(maps.Keys(c.Custom), func(a, b schema.GroupVersionResource) int {
		return strings.Compare(a.String(), b.String())
	})
}

// Wait waits for the goroutines of Start to end.
func (c *Cache) Wait() { c.wg.Wait() }
