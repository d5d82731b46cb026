package watch

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// inform adds an informer to the factory.
func (res *resource) inform(factory informers.SharedInformerFactory) {
	informer := factory.InformerFor(res.object, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return cache.NewSharedIndexInformer(res.listerWatcher, res.object, 0, cache.Indexers{})
	})
	// None of the three can fail before the informer is started.
	_ = informer.SetTransform(transform)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		// The ListerWatcher has logged what failed.
		res.log.Debug("informer backs off", "error", err)
	})
	registration, _ := informer.AddEventHandler(res.events)
	res.synced = []cache.DoneChecker{informer.HasSyncedChecker(), registration.HasSyncedChecker()}
}

// transform is the informers' TransformFunc. It must be idempotent and must never fail:
// client-go applies it more than once to some objects, and drops an event for which it
// fails.
func transform(obj any) (any, error) {
	switch o := obj.(type) {
	case *stub:
		return o, nil
	case listItem:
		return o.stub, nil
	case metav1.Object:
		return newStub(o), nil
	default:
		return obj, nil
	}
}

// eventHandler is the event handler of one informer, for objects of type T of which K
// is kept.
type eventHandler[T metav1.Object, K any] struct {
	trim func(object T, gone bool) K
	put  func(key string, kept K)
	// remove has the last state that the watch has shown, or the zero K when a list
	// has shown that the object is gone.
	remove func(key string, last K)
}

// consume empties a stub. No other goroutine reads the content.
func (h eventHandler[T, K]) consume(s *stub, gone bool) (kept K, full bool) {
	switch content := s.Object.(type) {
	case payload[K]:
		kept, full = content.kept, true
	case T:
		kept, full = h.trim(content, gone), true
	}
	s.Object = consumed
	return kept, full
}

func (h eventHandler[T, K]) OnAdd(obj any, _ bool) {
	if s, ok := obj.(*stub); ok {
		if kept, full := h.consume(s, false); full {
			h.put(s.key, kept)
		}
	}
}

func (h eventHandler[T, K]) OnUpdate(_, obj any) { h.OnAdd(obj, false) }

func (h eventHandler[T, K]) OnDelete(obj any) {
	key := ""
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		key, obj = tombstone.Key, tombstone.Obj
	}
	var last K
	if s, ok := obj.(*stub); ok {
		key = s.key
		last, _ = h.consume(s, true)
	}
	h.remove(key, last)
}

// jobEvents and podEvents put what they receive into the store.
func jobEvents(s *store) cache.ResourceEventHandler {
	t := newTrimmer(false)
	return eventHandler[*batchv1.Job, *Job]{
		trim: func(job *batchv1.Job, _ bool) *Job { return t.job(job) },
		put:  s.putJob, remove: s.removeJob,
	}
}

func podEvents(s *store) cache.ResourceEventHandler {
	t := newTrimmer(false)
	return eventHandler[*corev1.Pod, *Pod]{trim: t.pod, put: s.putPod, remove: s.removePod}
}
