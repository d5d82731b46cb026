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
	_ = informer.SetTransform(transform)
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
//
// Its namespace is empty, since there is only one: the informer's key of it is then
// the name itself, and not one more string for each object and event.
type parcel struct {
	metav1.Object // the content: see newParcel; taken once it was
	name, version string
}

// taken stands for the content that the event handler has taken. client-go asks a
// parcel for nothing but what is below, in other goroutines than the handler's.
var taken metav1.Object = &metav1.ObjectMeta{}

// GetNamespace, GetName and GetResourceVersion are what an informer asks for, a few
// times for each event, and after the content was taken too.
func (p *parcel) GetNamespace() string       { return "" }
func (p *parcel) GetName() string            { return p.name }
func (p *parcel) GetResourceVersion() string { return p.version }

// newParcel takes an object in whole: whether it is to be trimmed is known only
// when the event is. One of a list is trimmed before.
func newParcel(o metav1.Object) *parcel {
	// The object goes, name and version stay: in memory of their own, which what is
	// made of the object shares.
	o.SetName(strings.Clone(o.GetName()))
	o.SetResourceVersion(strings.Clone(o.GetResourceVersion()))
	return &parcel{o, o.GetName(), o.GetResourceVersion()}
}

// trimmed is the content of a parcel of a list: a *Job or a *Pod.
type trimmed[K any] struct {
	metav1.Object
	kept K
}

// transform is the informers' TransformFunc. It must be idempotent and must
// never fail: client-go applies it more than once to some objects, and drops
// the event of one that it fails on.
func transform(obj any) (any, error) {
	switch o := obj.(type) {
	case *parcel:
		return o, nil
	case listed:
		return o.parcel, nil
	case metav1.Object:
		return newParcel(o), nil
	default:
		return obj, nil
	}
}

// receiver is the event handler of one informer, for objects of type T of which
// K is kept.
type receiver[T metav1.Object, K any] struct {
	trim func(object T, gone bool) K
	put  func(kept K)
	// remove has the last state that the watch has shown, or the zero K when a list
	// has shown that the object is gone.
	remove func(name string, last K)
}

// take empties a parcel. No other goroutine looks at the content.
func (r receiver[T, K]) take(p *parcel, gone bool) (kept K, full bool) {
	switch content := p.Object.(type) {
	case trimmed[K]:
		kept, full = content.kept, true
	case T:
		kept, full = r.trim(content, gone), true
	}
	p.Object = taken
	return kept, full
}

func (r receiver[T, K]) OnAdd(obj any, _ bool) {
	if p, ok := obj.(*parcel); ok {
		if kept, full := r.take(p, false); full {
			r.put(kept)
		}
	}
}

func (r receiver[T, K]) OnUpdate(_, obj any) { r.OnAdd(obj, false) }

func (r receiver[T, K]) OnDelete(obj any) {
	name := ""
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		name, obj = tombstone.Key, tombstone.Obj
	}
	var last K
	if p, ok := obj.(*parcel); ok {
		name = p.name
		last, _ = r.take(p, true)
	}
	r.remove(name, last)
}

// jobReceiver and podReceiver put what they receive into the store.
func jobReceiver(s *store) cache.ResourceEventHandler {
	t := newTrimmer(false)
	return receiver[*batchv1.Job, *Job]{
		trim: func(job *batchv1.Job, _ bool) *Job { return t.job(job) },
		put:  s.putJob, remove: s.removeJob,
	}
}

func podReceiver(s *store) cache.ResourceEventHandler {
	t := newTrimmer(false)
	return receiver[*corev1.Pod, *Pod]{trim: t.pod, put: s.putPod, remove: s.removePod}
}
