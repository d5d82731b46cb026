package engine

import (
	"context"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
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

	wg sync.WaitGroup
}

// NewCache returns an empty Cache. Subscribe to its stores, then Start it.
func NewCache() *Cache {
	return &Cache{
		Pods:       NewStore[*corev1.Pod](),
		Jobs:       NewStore[*batchv1.Job](),
		ConfigMaps: NewStore[*corev1.ConfigMap](),
		Secrets:    NewStore[*corev1.Secret](),
		Leases:     NewStore[*coordinationv1.Lease](),
		Namespaces: NewStore[*corev1.Namespace](),
	}
}

// Start fills the Cache from client until ctx ends, and returns once every kind
// has been listed or ctx has ended. Wait then waits for its goroutines.
func (c *Cache) Start(ctx context.Context, client kubernetes.Interface) error {
	Reflect(ctx, &c.wg, c.Pods, client.CoreV1().Pods(""))
	Reflect(ctx, &c.wg, c.Jobs, client.BatchV1().Jobs(""))
	Reflect(ctx, &c.wg, c.ConfigMaps, client.CoreV1().ConfigMaps(""))
	Reflect(ctx, &c.wg, c.Secrets, client.CoreV1().Secrets(""))
	Reflect(ctx, &c.wg, c.Leases, client.CoordinationV1().Leases(""))
	Reflect(ctx, &c.wg, c.Namespaces, client.CoreV1().Namespaces())
	for _, synced := range []<-chan struct{}{
		c.Pods.Synced(), c.Jobs.Synced(), c.ConfigMaps.Synced(),
		c.Secrets.Synced(), c.Leases.Synced(), c.Namespaces.Synced(),
	} {
		select {
		case <-synced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Wait waits for the goroutines of Start to end.
func (c *Cache) Wait() { c.wg.Wait() }
