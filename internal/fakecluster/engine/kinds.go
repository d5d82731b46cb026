package engine

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// client is the part of a generated typed client that a ListWatch needs.
type client[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

func listWatch[L runtime.Object](c client[L]) ListWatch {
	return ListWatch{
		List: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return c.List(ctx, opts)
		},
		Watch: c.Watch,
	}
}

// Pods lists and watches the pods of all namespaces.
func Pods(c kubernetes.Interface) ListWatch { return listWatch(c.CoreV1().Pods("")) }

// Jobs lists and watches the Jobs of all namespaces.
func Jobs(c kubernetes.Interface) ListWatch { return listWatch(c.BatchV1().Jobs("")) }

// ConfigMaps lists and watches the ConfigMaps of all namespaces.
func ConfigMaps(c kubernetes.Interface) ListWatch { return listWatch(c.CoreV1().ConfigMaps("")) }

// Secrets lists and watches the Secrets of all namespaces.
func Secrets(c kubernetes.Interface) ListWatch { return listWatch(c.CoreV1().Secrets("")) }

// Leases lists and watches the Leases of all namespaces.
func Leases(c kubernetes.Interface) ListWatch { return listWatch(c.CoordinationV1().Leases("")) }

// Namespaces lists and watches the Namespaces.
func Namespaces(c kubernetes.Interface) ListWatch { return listWatch(c.CoreV1().Namespaces()) }
