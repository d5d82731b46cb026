package watch

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// TestTransformIsIdempotent: client-go applies it to some objects more than once.
func TestTransformIsIdempotent(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", ResourceVersion: "7"}}
	once, err := transform(pod)
	require.NoError(t, err)
	twice, err := transform(once)
	require.NoError(t, err)
	require.Same(t, once, twice)
	fromList, err := transform(listItem{once.(*stub)})
	require.NoError(t, err)
	require.Same(t, once, fromList)
	_, checked := once.(runtime.Object)
	require.False(t, checked, "client-go's check of cached objects would take its emptying for a mistake")

	asked := func() {
		m, err := meta.Accessor(twice)
		require.NoError(t, err)
		require.Equal(t, "7", m.GetResourceVersion())
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(twice)
		require.NoError(t, err)
		require.Equal(t, "ns/p", key)
		require.Same(t, unsafe.StringData(once.(*stub).key), unsafe.StringData(key), "a key would be allocated for each event")
	}
	asked()

	var got *corev1.Pod
	h := eventHandler[*corev1.Pod, *Pod]{
		trim: func(p *corev1.Pod, gone bool) *Pod {
			require.False(t, gone)
			got = p
			return &Pod{Meta: Meta{Name: p.Name}}
		},
		put: func(key string, p *Pod) {
			require.Equal(t, "ns/p", key)
			require.Equal(t, "p", p.Name)
		},
	}
	h.OnAdd(twice, true)
	require.Same(t, pod, got)
	require.Equal(t, "p", got.Name)
	got = nil
	h.OnAdd(twice, true)
	require.Nil(t, got, "it was consumed")
	asked()
}
