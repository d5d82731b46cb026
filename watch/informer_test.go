package watch

import (
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	fromList, err := transform(listed{once.(*parcel)})
	require.NoError(t, err)
	require.Same(t, once, fromList)
	_, checked := once.(runtime.Object)
	require.False(t, checked, "client-go's check of cached objects would take its emptying for a mistake")

	asked := func() {
		m, err := meta.Accessor(twice)
		require.NoError(t, err)
		require.Equal(t, [2]string{"p", "7"}, [2]string{m.GetName(), m.GetResourceVersion()})
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(twice)
		require.NoError(t, err)
		require.Equal(t, "p", key)
	}
	asked()

	var got *corev1.Pod
	r := receiver[*corev1.Pod, *Pod]{
		trim: func(p *corev1.Pod, gone bool) *Pod {
			require.False(t, gone)
			got = p
			return &Pod{Meta: Meta{Name: p.Name}}
		},
		put: func(p *Pod) { require.Equal(t, "p", p.Name) },
	}
	r.OnAdd(twice, true)
	require.Same(t, pod, got)
	got = nil
	r.OnAdd(twice, true)
	require.Nil(t, got, "it was taken")
	asked()
}

// TestWhatMayPass: the reflector itself has an answer to some errors, and has to
// see them.
func TestWhatMayPass(t *testing.T) {
	t.Parallel()
	tooLarge := apierrors.NewTimeoutError("Too large resource version: 100, current: 3", 1)
	tooLarge.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"no answer":      {io.ErrUnexpectedEOF, true},
		"overload":       {apierrors.NewTooManyRequests("x", 1), true},
		"timeout":        {apierrors.NewTimeoutError("x", 1), true},
		"expired token":  {apierrors.NewUnauthorized("x"), true},
		"etcd restored":  {tooLarge, false},
		"compacted":      {apierrors.NewResourceExpired("x"), false},
		"no right to it": {apierrors.NewForbidden(corev1.Resource("pods"), "", nil), false},
	} {
		require.Equal(t, tc.want, mayPass(tc.err), name)
	}
}

// TestEndOfAnEarlierAnswer: client-go sends a watch request again after some
// answers, and the end of one that it has put away is no news of the watch.
func TestEndOfAnEarlierAnswer(t *testing.T) {
	t.Parallel()
	s := &source{resource: "jobs", log: slog.New(slog.DiscardHandler), changed: make(chan struct{}, 1)}
	l := &line{source: s}
	s.setLine(l)
	earlier, last := l.open(), l.open()
	l.end(earlier, io.ErrUnexpectedEOF)
	_, err := s.state()
	require.Nil(t, err)
	l.end(last, io.ErrUnexpectedEOF)
	_, err = s.state()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
