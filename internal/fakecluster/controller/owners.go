package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// subject is an object in the garbage collector's queue.
type subject struct {
	kind int // index into kinds
	uid  types.UID
}

// ownerBook remembers which owners exist and which are known to be gone.
type ownerBook struct {
	mu    sync.Mutex
	alive map[types.UID]resident
	gone  map[types.UID]struct{}
	// trusted are owners of a kind that is not in kinds. They were seen alive, or cannot be
	// looked up.
	trusted map[types.UID]struct{}
}

type resident struct {
	subject
	namespace, name string
}

func newOwnerBook() *ownerBook {
	return &ownerBook{alive: map[types.UID]resident{}, gone: map[types.UID]struct{}{}, trusted: map[types.UID]struct{}{}}
}

func (b *ownerBook) arrived(r resident) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, gone := b.gone[r.uid]; !gone {
		b.alive[r.uid] = r
	}
}

func (b *ownerBook) left(uid types.UID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.alive, uid)
	delete(b.trusted, uid)
	b.gone[uid] = struct{}{}
}

func (b *ownerBook) trust(uid types.UID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, gone := b.gone[uid]; !gone {
		b.trusted[uid] = struct{}{}
	}
}

// find returns where the owner is, if it is in the cache, and what else is known.
func (b *ownerBook) find(uid types.UID) (r resident, alive bool, s standing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, alive = b.alive[uid]
	_, gone := b.gone[uid]
	_, trusted := b.trusted[uid]
	switch {
	case gone:
		s = standingGone
	case alive, trusted:
		s = standingSolid
	}
	return r, alive, s
}

// standing is the state of an owner as one dependent sees it.
type standing int

const (
	standingUnknown standing = iota // is not in the cache, which may be behind
	standingSolid                   // exists
	standingWaiting                 // is being deleted in the foreground
	standingGone
)

// standing returns what the cache says. Of a reference that does not describe the object
// with its UID the API server has the last word.
func (m *Manager) standing(obj metav1.Object, ref metav1.OwnerReference) standing {
	r, alive, s := m.owners.find(ref.UID)
	if !alive {
		return s
	}
	switch owner, ok := m.kinds[r.kind].get(ref.UID); {
	case !m.describes(ref, r), r.namespace != "" && r.namespace != obj.GetNamespace():
		return standingUnknown
	case ok && waitsForDependents(owner):
		return standingWaiting
	}
	return s
}

// describes reports whether a reference has the coordinates of the owner.
func (m *Manager) describes(ref metav1.OwnerReference, r resident) bool {
	k := m.kinds[r.kind]
	return ref.Name == r.name && ref.APIVersion == k.group && (k.name == "" || ref.Kind == k.name)
}

// elsewhere reports whether the owner is in another namespace than its dependent.
func (m *Manager) elsewhere(obj metav1.Object, ref metav1.OwnerReference) bool {
	r, alive, _ := m.owners.find(ref.UID)
	return alive && r.namespace != "" && r.namespace != obj.GetNamespace()
}

// verify asks the API server for an owner that the cache does not show. An object may
// arrive before its owner, since they come by different watches.
func (m *Manager) verify(ctx context.Context, obj metav1.Object, ref metav1.OwnerReference) (standing, error) {
	mapping, err := m.known.mapping(ctx, ref.APIVersion, ref.Kind)
	if err != nil {
		return standingUnknown, err
	}
	namespace := obj.GetNamespace()
	switch {
	case mapping == nil, namespace == "" && mapping.Scope.Name() == meta.RESTScopeNameNamespace:
		// A real collector keeps trying to find out about the kind. A reference out of a
		// cluster-scoped object into a namespace is not valid, and left alone.
		m.owners.trust(ref.UID)
		return standingSolid, nil
	case mapping.Scope.Name() == meta.RESTScopeNameRoot:
		namespace = ""
	}
	watched := slices.ContainsFunc(m.kinds, func(k kind) bool { return k.gvr == mapping.Resource })
	if !watched {
		if err := m.watchOwners(ctx, mapping.Resource); err != nil {
			return standingUnknown, err
		}
	}
	owner, err := m.partial.Resource(mapping.Resource).Namespace(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return standingGone, nil
	case err != nil:
		return standingUnknown, fmt.Errorf("reading the owner %s %s: %w", ref.Kind, ref.Name, err)
	case owner.UID != ref.UID:
		return standingGone, nil
	case waitsForDependents(owner):
		return standingWaiting, nil
	}
	if !watched {
		m.owners.trust(ref.UID)
	}
	return standingSolid, nil
}

// watchOwners watches a kind of which no object is collected, from the first owner of that
// kind on. It returns when what exists has been listed, so that no deletion of an owner that
// is read later is missed.
func (m *Manager) watchOwners(ctx context.Context, gvr schema.GroupVersionResource) error {
	m.mu.Lock()
	store := m.foreign[gvr]
	if store == nil {
		store = engine.NewStore[*metav1.PartialObjectMetadata]()
		store.Subscribe(func(old, obj *metav1.PartialObjectMetadata) {
			if obj == nil {
				m.DeleteOwner(old.UID)
			}
		})
		m.foreign[gvr] = store
		engine.Reflect(ctx, &m.wg, store, m.partial.Resource(gvr))
	}
	m.mu.Unlock()
	select {
	case <-store.Synced():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
