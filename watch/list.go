package watch

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// payload is the content of a stub of a list: a *Job or a *Pod.
type payload[K any] struct {
	metav1.Object
	kept K
}

// listItem is a stub in a list, which has to be of runtime.Objects. A stub itself is
// none: client-go's check that a cached object is not modified
// (KUBE_CACHE_MUTATION_DETECTOR) looks only at those.
type listItem struct{ *stub }

// GetObjectKind makes it a runtime.Object.
func (listItem) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject makes it a runtime.Object. An informer does not call it.
func (l listItem) DeepCopyObject() runtime.Object { return l }

// keepJobs begins a list of Jobs, which omits those that the store would drop.
func (s *store) keepJobs() func(runtime.Object) runtime.Object {
	t := newTrimmer(true)
	return func(obj runtime.Object) runtime.Object {
		job, ok := obj.(*batchv1.Job)
		if !ok {
			return nil // the API server sends nothing else
		}
		stub := newStub(job)
		kept := t.job(job)
		if s.recorded(kept) {
			return nil
		}
		stub.Object = payload[*Job]{consumed, kept}
		return listItem{stub}
	}
}

// keepPods begins a list of Pods, which omits the finished ones of Jobs that are not
// living, so that a start among many of them only needs memory for a page.
func (s *store) keepPods() func(runtime.Object) runtime.Object {
	t := newTrimmer(true)
	return func(obj runtime.Object) runtime.Object {
		pod, ok := obj.(*corev1.Pod)
		if !ok {
			return nil
		}
		stub := newStub(pod)
		kept := t.pod(pod, false)
		if s.superfluous(stub.key, kept) {
			return nil
		}
		stub.Object = payload[*Pod]{consumed, kept}
		return listItem{stub}
	}
}
