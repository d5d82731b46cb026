package controller

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// kind is one kind of object the garbage collector knows.
type kind struct {
	gvr    schema.GroupVersionResource
	name   string // in owner references; unknown for a custom resource
	group  string // with the version, in owner references
	get    func(types.UID) (metav1.Object, bool)
	owned  func(types.UID) []metav1.Object
	list   func() []metav1.Object
	delete func(ctx context.Context, namespace, name string, opts metav1.DeleteOptions) error
	patch  func(ctx context.Context, namespace, name string, data []byte) error
}

// writer is the part of a generated typed client that a kind needs.
type writer[T runtime.Object] interface {
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
}

func newKind[T engine.Object, W writer[T]](gvr schema.GroupVersionResource, name string, store *engine.Store[T], in func(namespace string) W) kind {
	return kind{
		gvr:   gvr,
		name:  name,
		group: gvr.GroupVersion().String(),
		get: func(uid types.UID) (metav1.Object, bool) {
			obj, ok := store.Get(uid)
			return obj, ok
		},
		owned: func(uid types.UID) []metav1.Object { return objects(store.Owned(uid)) },
		list:  func() []metav1.Object { return objects(store.List()) },
		delete: func(ctx context.Context, namespace, name string, opts metav1.DeleteOptions) error {
			return in(namespace).Delete(ctx, name, opts)
		},
		patch: func(ctx context.Context, namespace, name string, data []byte) error {
			obj, err := in(namespace).Patch(ctx, name, types.MergePatchType, data, metav1.PatchOptions{})
			if err == nil {
				store.Put(obj)
			}
			return err
		},
	}
}

func objects[T engine.Object](list []T) []metav1.Object {
	out := make([]metav1.Object, len(list))
	for i, obj := range list {
		out[i] = obj
	}
	return out
}

// metadataWriter makes a metadata client a writer.
type metadataWriter struct{ metadata.ResourceInterface }

func (w metadataWriter) Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error {
	return w.ResourceInterface.Delete(ctx, name, opts)
}

// kinds lists what the garbage collector watches.
func kinds(client kubernetes.Interface, partial metadata.Interface, cache *engine.Cache) []kind {
	all := []kind{
		newKind(batchv1.SchemeGroupVersion.WithResource("jobs"), "Job", cache.Jobs, client.BatchV1().Jobs),
		newKind(corev1.SchemeGroupVersion.WithResource("pods"), "Pod", cache.Pods, client.CoreV1().Pods),
		newKind(corev1.SchemeGroupVersion.WithResource("configmaps"), "ConfigMap", cache.ConfigMaps, client.CoreV1().ConfigMaps),
		newKind(corev1.SchemeGroupVersion.WithResource("secrets"), "Secret", cache.Secrets, client.CoreV1().Secrets),
		newKind(coordinationv1.SchemeGroupVersion.WithResource("leases"), "Lease", cache.Leases, client.CoordinationV1().Leases),
	}
	for _, gvr := range cache.CustomResources() {
		all = append(all, newKind(gvr, "", cache.Custom[gvr], func(namespace string) metadataWriter {
			return metadataWriter{partial.Resource(gvr).Namespace(namespace)}
		}))
	}
	return all
}
