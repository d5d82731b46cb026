package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// backoff is the delay after a failed list or watch. It is short and constant: the
// API server is in the same process.
var backoff = wait.Backoff{Duration: 10 * time.Millisecond, Factor: 1, Steps: 1}

// watchFor is the shortest time that a watch is requested for. A component of the cluster
// waits for days of virtual time in some tests: bookmarks, and further watches every few
// minutes, would take most of the CPU time of these.
const watchFor = 24 * time.Hour

// Lister is the part of a generated typed client that Reflect needs.
type Lister[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// Reflect keeps store equal to what client lists and watches until ctx is canceled;
// wg then waits for it.
func Reflect[T Object, L runtime.Object](ctx context.Context, wg *sync.WaitGroup, store *Store[T], client Lister[L]) {
	var expected T
	lw := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, opts)
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.AllowWatchBookmarks = opts.SendInitialEvents != nil
			return client.Watch(ctx, opts)
		},
	}, client)
	r := cache.NewReflectorWithOptions(lw, expected, reflected[T]{store}, cache.ReflectorOptions{Backoff: &backoff, MinWatchTimeout: watchFor})
	// The end of the cluster ends the watches, of which client-go would write to stderr.
	ctx = klog.NewContext(ctx, klog.Logger{})
	wg.Go(func() { r.RunWithContext(ctx) })
}

// reflected makes a Store the cache.ReflectorStore of a Reflector.
type reflected[T Object] struct{ store *Store[T] }

func (r reflected[T]) Add(obj any) error { return r.Update(obj) }

func (r reflected[T]) Update(obj any) error {
	o, ok := obj.(T)
	if !ok {
		return fmt.Errorf("unexpected object of type %T", obj)
	}
	r.store.Put(o)
	return nil
}

func (r reflected[T]) Delete(obj any) error {
	o, ok := obj.(T)
	if !ok {
		return fmt.Errorf("unexpected object of type %T", obj)
	}
	r.store.Remove(o.GetUID())
	return nil
}

func (r reflected[T]) Replace(list []any, version string) error {
	items := make([]T, len(list))
	for i, obj := range list {
		o, ok := obj.(T)
		if !ok {
			return fmt.Errorf("unexpected object of type %T", obj)
		}
		items[i] = o
	}
	r.store.replace(items, parseVersion(version))
	return nil
}

func (r reflected[T]) Resync() error { return nil }
