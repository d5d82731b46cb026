package engine

import (
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Object is an API object a Store can hold: a pointer type such as *corev1.Pod.
type Object interface {
	comparable
	metav1.Object
	runtime.Object
}

// Store is a cache of one kind of object, keyed by UID. The objects that it returns are
// shared and must not be modified.
type Store[T Object] struct {
	mu      sync.RWMutex
	objects map[types.UID]T
	names   map[types.NamespacedName]types.UID
	gone    map[types.UID]struct{}
	owned   map[types.UID]map[types.UID]T // those without a controller under ""
	subs    []func(old, now T)

	synced   chan struct{}
	syncOnce sync.Once
}

// NewStore returns an empty Store.
func NewStore[T Object]() *Store[T] {
	return &Store[T]{
		objects: map[types.UID]T{},
		names:   map[types.NamespacedName]types.UID{},
		gone:    map[types.UID]struct{}{},
		owned:   map[types.UID]map[types.UID]T{},
		synced:  make(chan struct{}),
	}
}

// Subscribe registers fn to be called after each change: old is nil for an
// addition, now is nil for a removal. Calls for one object may overlap and
// arrive in any order, so fn should only take note that the object changed.
// Subscribe before the Reflector runs.
func (s *Store[T]) Subscribe(fn func(old, now T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs = append(s.subs, fn)
}

// Synced is closed once the first list is in the Store.
func (s *Store[T]) Synced() <-chan struct{} { return s.synced }

// Get returns the object with that UID.
func (s *Store[T]) Get(uid types.UID) (T, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	obj, ok := s.objects[uid]
	return obj, ok
}

// ByName returns the object with that namespace and name.
func (s *Store[T]) ByName(namespace, name string) (T, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	uid, ok := s.names[types.NamespacedName{Namespace: namespace, Name: name}]
	if !ok {
		var none T
		return none, false
	}
	obj, ok := s.objects[uid]
	return obj, ok
}

// Owned returns the objects that name owner in their owner references, in no
// particular order.
func (s *Store[T]) Owned(owner types.UID) []T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	set := s.owned[owner]
	if len(set) == 0 {
		return nil
	}
	out := make([]T, 0, len(set))
	for _, obj := range set {
		out = append(out, obj)
	}
	return out
}

// Uncontrolled returns the objects without an owner that is their controller, in no
// particular order.
func (s *Store[T]) Uncontrolled() []T { return s.Owned("") }

// List returns every object, in no particular order.
func (s *Store[T]) List() []T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]T, 0, len(s.objects))
	for _, obj := range s.objects {
		out = append(out, obj)
	}
	return out
}

// Put adds or replaces obj, unless the Store holds a newer version or has seen the
// object deleted. It takes both responses to writes and watch events, and ignores the
// older of two.
func (s *Store[T]) Put(obj T) {
	s.mu.Lock()
	if _, gone := s.gone[obj.GetUID()]; gone {
		s.mu.Unlock()
		return
	}
	old, had := s.objects[obj.GetUID()]
	if had && !newer(obj, old) {
		s.mu.Unlock()
		return
	}
	if had {
		s.unlink(old)
	}
	s.link(obj)
	subs := s.subs
	s.mu.Unlock()
	for _, fn := range subs {
		fn(old, obj)
	}
}

// Remove drops the object with that UID for good: a later Put of the same UID
// is ignored.
func (s *Store[T]) Remove(uid types.UID) {
	s.mu.Lock()
	s.gone[uid] = struct{}{}
	old, had := s.objects[uid]
	if had {
		s.unlink(old)
		delete(s.objects, uid)
	}
	subs := s.subs
	s.mu.Unlock()
	if !had {
		return
	}
	var none T
	for _, fn := range subs {
		fn(old, none)
	}
}

// replace makes the Store hold exactly list, as a relist does. An object put
// by a writer after the list was taken is newer than the list and stays.
func (s *Store[T]) replace(list []T, listVersion uint64) {
	seen := make(map[types.UID]struct{}, len(list))
	for _, obj := range list {
		seen[obj.GetUID()] = struct{}{}
		s.Put(obj)
	}
	for _, obj := range s.List() {
		if _, ok := seen[obj.GetUID()]; !ok && version(obj) <= listVersion {
			s.Remove(obj.GetUID())
		}
	}
	s.syncOnce.Do(func() { close(s.synced) })
}

func (s *Store[T]) link(obj T) {
	s.objects[obj.GetUID()] = obj
	s.names[types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}] = obj.GetUID()
	for _, owner := range owners(obj) {
		set := s.owned[owner]
		if set == nil {
			set = map[types.UID]T{}
			s.owned[owner] = set
		}
		set[obj.GetUID()] = obj
	}
}

func (s *Store[T]) unlink(obj T) {
	key := types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
	if s.names[key] == obj.GetUID() {
		delete(s.names, key)
	}
	for _, owner := range owners(obj) {
		set := s.owned[owner]
		delete(set, obj.GetUID())
		if len(set) == 0 {
			delete(s.owned, owner)
		}
	}
}

// owners returns the UIDs of the owners, and "" if none of them is the controller.
func owners(obj metav1.Object) []types.UID {
	var uids []types.UID
	controlled := false
	for _, ref := range obj.GetOwnerReferences() {
		uids = append(uids, ref.UID)
		controlled = controlled || ref.Controller != nil && *ref.Controller
	}
	if !controlled {
		uids = append(uids, "")
	}
	return uids
}

func newer[T Object](a, b T) bool {
	va, vb := version(a), version(b)
	// Versions that are not numbers cannot be ordered: the last one wins.
	return va == 0 || vb == 0 || va > vb
}

func version[T Object](obj T) uint64 { return parseVersion(obj.GetResourceVersion()) }

func parseVersion(rv string) uint64 {
	n, err := strconv.ParseUint(rv, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
