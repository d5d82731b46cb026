package engine

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// retryDelay is how long a Reflector waits after a failed list or watch. It is
// short and fixed: the API server is in the same process.
const retryDelay = 10 * time.Millisecond

// ListWatch lists and watches one kind of object in all namespaces.
type ListWatch struct {
	List  func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error)
	Watch func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// Reflect keeps store equal to what lw lists and watches, until ctx ends. It
// runs in the caller's goroutine. A closed watch is resumed from the last
// resource version, an ERROR event or a refused watch leads to a new list.
func Reflect[T Object](ctx context.Context, store *Store[T], lw ListWatch) {
	for ctx.Err() == nil {
		list, err := lw.List(ctx, metav1.ListOptions{})
		if err != nil {
			pause(ctx)
			continue
		}
		items, rv, err := extract[T](list)
		if err != nil {
			pause(ctx)
			continue
		}
		store.replace(items, parseVersion(rv))
		follow(ctx, store, lw, rv)
	}
}

// follow watches from rv until a watch is refused or reports an error.
func follow[T Object](ctx context.Context, store *Store[T], lw ListWatch, rv string) {
	for ctx.Err() == nil {
		w, err := lw.Watch(ctx, metav1.ListOptions{ResourceVersion: rv, AllowWatchBookmarks: true})
		if err != nil {
			pause(ctx)
			return
		}
		next, ok := drain(ctx, store, w, rv)
		w.Stop()
		if !ok {
			return
		}
		if next == rv {
			// Closed without an event: do not spin on a server that hangs up.
			pause(ctx)
		}
		rv = next
	}
}

func drain[T Object](ctx context.Context, store *Store[T], w watch.Interface, rv string) (string, bool) {
	for {
		select {
		case <-ctx.Done():
			return rv, false
		case event, open := <-w.ResultChan():
			if !open {
				return rv, true
			}
			obj, ok := event.Object.(T)
			if event.Type == watch.Error || !ok {
				return rv, false
			}
			rv = obj.GetResourceVersion()
			switch event.Type {
			case watch.Added, watch.Modified:
				store.Put(obj)
			case watch.Deleted:
				store.Remove(obj.GetUID())
			}
		}
	}
}

func extract[T Object](list runtime.Object) ([]T, string, error) {
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return nil, "", err
	}
	var items []T
	err = meta.EachListItem(list, func(obj runtime.Object) error {
		if item, ok := obj.(T); ok {
			items = append(items, item)
		}
		return nil
	})
	return items, accessor.GetResourceVersion(), err
}

// pause waits for retryDelay or the end of ctx.
func pause(ctx context.Context) {
	timer := time.NewTimer(retryDelay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
