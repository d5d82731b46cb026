package engine_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

func pod(uid string, version int, owners ...types.UID) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "pod-" + uid, UID: types.UID(uid), ResourceVersion: strconv.Itoa(version),
	}}
	for _, owner := range owners {
		p.OwnerReferences = append(p.OwnerReferences, metav1.OwnerReference{UID: owner})
	}
	return p
}

func TestStoreKeepsTheNewest(t *testing.T) {
	t.Parallel()
	s := engine.NewStore[*corev1.Pod]()
	s.Put(pod("a", 10))
	s.Put(pod("a", 9))
	held, ok := s.Get("a")
	require.True(t, ok)
	require.Equal(t, "10", held.ResourceVersion)
	s.Put(pod("a", 100))
	held, _ = s.ByName("ns", "pod-a")
	require.Equal(t, "100", held.ResourceVersion)
	s.Remove("a")
	s.Put(pod("a", 200))
	_, ok = s.Get("a")
	require.False(t, ok, "what was deleted does not come back")
	_, ok = s.ByName("ns", "pod-a")
	require.False(t, ok)
	require.Empty(t, s.List())
}

func TestStoreIndexesOwners(t *testing.T) {
	t.Parallel()
	s := engine.NewStore[*corev1.Pod]()
	s.Put(pod("a", 1, "job", "other"))
	s.Put(pod("b", 2, "job"))
	require.Len(t, s.Owned("job"), 2)
	require.Len(t, s.Owned("other"), 1)
	s.Put(pod("a", 3, "job"))
	require.Empty(t, s.Owned("other"))
	s.Remove("a")
	require.Len(t, s.Owned("job"), 1)
}

func TestStoreNotifiesSubscribers(t *testing.T) {
	t.Parallel()
	s := engine.NewStore[*corev1.Pod]()
	var seen []string
	s.Subscribe(func(old, obj *corev1.Pod) {
		line := "-"
		if old != nil {
			line = old.ResourceVersion
		}
		if obj != nil {
			line += ">" + obj.ResourceVersion
		}
		seen = append(seen, line)
	})
	s.Put(pod("a", 1))
	s.Put(pod("a", 1)) // not newer: no change
	s.Put(pod("a", 2))
	s.Remove("a")
	s.Remove("a")
	require.Equal(t, []string{"->1", "1>2", "2"}, seen)
}

// source provides a list and watches that a test controls.
type source struct {
	mu      sync.Mutex
	items   []corev1.Pod
	version string
	lists   int
	listErr error
	watches chan *watch.FakeWatcher
	from    []string
	refuse  error
}

func newSource(version string, pods ...*corev1.Pod) *source {
	s := &source{watches: make(chan *watch.FakeWatcher, 10)}
	s.set(version, pods...)
	return s
}

func (s *source) set(version string, pods ...*corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.items = version, nil
	for _, p := range pods {
		s.items = append(s.items, *p)
	}
}

// List implements engine.Lister.
func (s *source) List(context.Context, metav1.ListOptions) (*corev1.PodList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	err := s.listErr
	s.listErr = nil
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: s.version}, Items: s.items}, err
}

// Watch implements engine.Lister.
func (s *source) Watch(_ context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = append(s.from, opts.ResourceVersion)
	if err := s.refuse; err != nil {
		s.refuse = nil
		return nil, err
	}
	w := watch.NewFakeWithChanSize(10, false)
	s.watches <- w
	return w, nil
}

// IsWatchListSemanticsUnSupported makes the reflector list and then watch.
func (s *source) IsWatchListSemanticsUnSupported() bool { return true }

// reflectInto runs a reflector for the length of the bubble.
func reflectInto(t *testing.T, s *source) *engine.Store[*corev1.Pod] {
	t.Helper()
	store := engine.NewStore[*corev1.Pod]()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	engine.Reflect(ctx, &wg, store, s)
	t.Cleanup(func() { cancel(); wg.Wait() })
	<-store.Synced()
	return store
}

func names(store *engine.Store[*corev1.Pod]) map[types.UID]string {
	out := map[types.UID]string{}
	for _, p := range store.List() {
		out[p.UID] = p.ResourceVersion
	}
	return out
}

// pass lets a second pass.
func pass() {
	timer := time.NewTimer(time.Second)
	<-timer.C
	synctest.Wait()
}

func TestReflect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := newSource("5", pod("a", 1), pod("b", 2))
		store := reflectInto(t, src)
		w := <-src.watches
		w.Add(pod("c", 6))
		w.Modify(pod("a", 7))
		w.Delete(pod("b", 8))
		w.Action(watch.Bookmark, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "20"}})
		pass()
		require.Equal(t, map[types.UID]string{"a": "7", "c": "6"}, names(store))
		w.Stop() // a cut: the watch is resumed
		<-src.watches
		require.Equal(t, []string{"5", "20"}, src.from)
		require.Equal(t, 1, src.lists)
	})
}

func TestReflectListsAnewAfterAnError(t *testing.T) {
	t.Parallel()
	gone := apierrors.NewResourceExpired("too old")
	for name, fail := range map[string]func(*source, *watch.FakeWatcher){
		"in the stream": func(_ *source, w *watch.FakeWatcher) { w.Error(&gone.ErrStatus) },
		"at the start": func(s *source, w *watch.FakeWatcher) {
			s.mu.Lock()
			s.refuse, s.listErr = gone, errors.New("not yet")
			s.mu.Unlock()
			w.Stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				src := newSource("5", pod("a", 1), pod("b", 2))
				store := reflectInto(t, src)
				w := <-src.watches
				store.Put(pod("mine", 30)) // a write of ours, newer than the list
				src.set("20", pod("a", 11), pod("c", 12))
				fail(src, w)
				<-src.watches
				pass()
				require.Equal(t, map[types.UID]string{"a": "11", "c": "12", "mine": "30"}, names(store))
			})
		})
	}
}
