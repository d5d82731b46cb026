package watch

import (
	"context"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// inform adds the informer of one source to the factory.
func (s *source) inform(factory informers.SharedInformerFactory, object runtime.Object, events cache.ResourceEventHandler) (synced []cache.DoneChecker) {
	informer := factory.InformerFor(object, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return cache.NewSharedIndexInformer(s.listerWatcher(), object, 0, cache.Indexers{})
	})
	// None of the three can fail before the informer is started.
	_ = informer.SetTransform(s.transform)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		// What failed is in the log by the source already.
		s.log.Debug("informer backs off", "error", err)
	})
	handle, _ := informer.AddEventHandler(events)
	return []cache.DoneChecker{informer.HasSyncedChecker(), handle.HasSyncedChecker()}
}

// parcel is what an informer keeps of an object in its own cache, which it needs
// to find out by a list what was deleted: name and version. Until the event
// handler has taken it, it brings the object to the store, which is what the
// package looks things up in. client-go's indexers would be half of a waiting step.
type parcel struct {
	*metav1.ObjectMeta       // &noMeta: for what client-go does not ask
	namespace, name, version string
	content                  any // *batchv1.Job or *corev1.Pod; nil once it was taken
}

var noMeta metav1.ObjectMeta

// GetNamespace, GetName and GetResourceVersion are what an informer asks for, a few
// times for each event.
func (p *parcel) GetNamespace() string       { return p.namespace }
func (p *parcel) GetName() string            { return p.name }
func (p *parcel) GetResourceVersion() string { return p.version }

// transform is the informers' TransformFunc. It must be idempotent and must
// never fail: client-go applies it more than once to some objects, and drops
// the event of one that it fails on.
func (s *source) transform(obj any) (any, error) {
	if _, done := obj.(*parcel); done {
		return obj, nil
	}
	o, ok := obj.(metav1.Object)
	if !ok {
		return obj, nil
	}
	namespace := o.GetNamespace()
	if namespace == s.namespace {
		namespace = s.namespace // one string for all
	}
	// The object goes, name and version stay: in memory of their own, which what is
	// made of the object shares.
	o.SetName(strings.Clone(o.GetName()))
	o.SetResourceVersion(strings.Clone(o.GetResourceVersion()))
	return &parcel{&noMeta, namespace, o.GetName(), o.GetResourceVersion(), obj}, nil
}

// receiver is the event handler of one informer, for objects of type T.
type receiver[T any] struct {
	// put takes an object, and is told whether it comes from the first list.
	put func(object T, listed bool)
	// remove has the last state that the watch has shown, or the zero T when a list
	// has shown that the object is gone.
	remove func(name string, last T)
}

func (r receiver[T]) OnAdd(obj any, isInInitialList bool) {
	if p, ok := obj.(*parcel); ok {
		// No other goroutine looks at the content.
		if content, ok := p.content.(T); ok {
			p.content = nil
			r.put(content, isInInitialList)
		}
	}
}

func (r receiver[T]) OnUpdate(_, obj any) { r.OnAdd(obj, false) }

func (r receiver[T]) OnDelete(obj any) {
	name := ""
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		_, name, _ = cache.SplitMetaNamespaceKey(tombstone.Key)
		obj = tombstone.Obj
	}
	var last T
	if p, ok := obj.(*parcel); ok {
		last, _ = p.content.(T)
		p.content, name = nil, p.name
	}
	r.remove(name, last)
}

// jobReceiver and podReceiver trim what they receive.
func jobReceiver(s *store) receiver[*batchv1.Job] {
	t := newTrimmer()
	return receiver[*batchv1.Job]{
		put: func(job *batchv1.Job, listed bool) {
			t.apart = listed
			s.putJob(t.job(job))
		},
		remove: func(name string, last *batchv1.Job) {
			if last == nil {
				s.removeJob(name, nil)
				return
			}
			s.removeJob(name, t.job(last))
		},
	}
}

func podReceiver(s *store) receiver[*corev1.Pod] {
	t := newTrimmer()
	return receiver[*corev1.Pod]{
		put: func(pod *corev1.Pod, listed bool) {
			t.apart = listed
			s.putPod(t.pod(pod, false))
		},
		remove: func(name string, last *corev1.Pod) {
			if last == nil {
				s.removePod(name, nil)
				return
			}
			s.removePod(name, t.pod(last, true))
		},
	}
}
