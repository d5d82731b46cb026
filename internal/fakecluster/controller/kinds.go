package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// kind is one kind of object the garbage collector knows.
type kind struct {
	name   string
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

func newKind[T engine.Object, W writer[T]](name string, store *engine.Store[T], in func(namespace string) W) kind {
	return kind{
		name: name,
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

// kinds lists what the garbage collector and the deletion of namespaces act on.
func kinds(client kubernetes.Interface, cache *engine.Cache) []kind {
	return []kind{
		newKind("Job", cache.Jobs, client.BatchV1().Jobs),
		newKind("Pod", cache.Pods, client.CoreV1().Pods),
		newKind("ConfigMap", cache.ConfigMaps, client.CoreV1().ConfigMaps),
		newKind("Secret", cache.Secrets, client.CoreV1().Secrets),
		newKind("Lease", cache.Leases, client.CoordinationV1().Leases),
	}
}
