package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// DeleteOwner makes the garbage collector treat the object with that UID, which may be
// of any kind, as deleted, and delete its dependents.
func (m *Manager) DeleteOwner(uid types.UID) {
	m.owners.left(uid)
	m.queueDependents(uid)
}

func (m *Manager) subscribeGarbage() {
	subscribe(m, 0, m.cache.Jobs)
	subscribe(m, 1, m.cache.Pods)
	subscribe(m, 2, m.cache.ConfigMaps)
	subscribe(m, 3, m.cache.Secrets)
	subscribe(m, 4, m.cache.Leases)
	for i, gvr := range m.cache.CustomResources() {
		subscribe(m, 5+i, m.cache.Custom[gvr])
	}
}

func subscribe[T engine.Object](m *Manager, kind int, store *engine.Store[T]) {
	var none T
	store.Subscribe(func(old, obj T) {
		if obj == none {
			m.objectGone(old)
		} else {
			m.objectSeen(subject{kind, obj.GetUID()}, obj)
		}
	})
}

func (m *Manager) objectSeen(s subject, obj metav1.Object) {
	m.owners.arrived(resident{s, obj.GetNamespace(), obj.GetName()})
	if obj.GetDeletionTimestamp() != nil {
		if waitsForDependents(obj) || orphansDependents(obj) {
			m.garbage.Add(s)
		}
		return
	}
	for _, ref := range obj.GetOwnerReferences() {
		if m.standing(obj, ref) != standingSolid {
			m.garbage.Add(s)
			return
		}
	}
}

func (m *Manager) objectGone(obj metav1.Object) {
	m.owners.left(obj.GetUID())
	m.queueDependents(obj.GetUID())
	for _, ref := range obj.GetOwnerReferences() {
		// An owner that is deleted in the foreground may be waiting for this object.
		if r, alive, _ := m.owners.find(ref.UID); alive {
			if owner, ok := m.kinds[r.kind].get(ref.UID); ok && waitsForDependents(owner) {
				m.garbage.Add(r.subject)
			}
		}
	}
	if ns, ok := m.cache.Namespaces.ByName("", obj.GetNamespace()); ok && ns.DeletionTimestamp != nil {
		m.namespaces.Add(ns.UID)
	}
}

func (m *Manager) queueDependents(owner types.UID) {
	for i, k := range m.kinds {
		for _, dependent := range k.owned(owner) {
			m.garbage.Add(subject{i, dependent.GetUID()})
		}
	}
}

// syncGarbage syncs one object. If it is being deleted, it releases or awaits its
// dependents. If its owners are gone, it deletes the object.
func (m *Manager) syncGarbage(ctx context.Context, s subject) error {
	obj, ok := m.kinds[s.kind].get(s.uid)
	if !ok {
		return nil
	}
	var err error
	switch {
	case obj.GetDeletionTimestamp() != nil && orphansDependents(obj):
		err = m.orphanDependents(ctx, s, obj)
	case obj.GetDeletionTimestamp() != nil && waitsForDependents(obj):
		err = m.deleteDependents(ctx, s, obj)
	case obj.GetDeletionTimestamp() == nil:
		err = m.deleteUnowned(ctx, s, obj)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("collecting %s %s/%s: %w", m.kinds[s.kind].gvr.Resource, obj.GetNamespace(), obj.GetName(), err)
	}
	return nil
}

// orphanDependents removes the references to obj. It asks the API server for the
// dependents, since one that the cache does not show yet would be deleted as soon as it
// does. It lists them in all namespaces: some kinds are in none.
func (m *Manager) orphanDependents(ctx context.Context, s subject, obj metav1.Object) error {
	var errs []error
	for i, k := range m.kinds {
		list, err := m.partial.Resource(k.gvr).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, dependent := range list.Items {
			kept := slices.DeleteFunc(slices.Clone(dependent.OwnerReferences), func(r metav1.OwnerReference) bool { return r.UID == s.uid })
			if len(kept) < len(dependent.OwnerReferences) {
				errs = append(errs, ignoreGone(m.patchMeta(ctx, i, &dependent, "ownerReferences", kept)))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return m.dropFinalizer(ctx, s, obj, metav1.FinalizerOrphanDependents)
}

func (m *Manager) deleteDependents(ctx context.Context, s subject, obj metav1.Object) error {
	var errs []error
	blocked := false
	for i, k := range m.kinds {
		for _, dependent := range k.owned(s.uid) {
			if obj.GetNamespace() != "" && dependent.GetNamespace() != obj.GetNamespace() {
				continue
			}
			for _, ref := range dependent.GetOwnerReferences() {
				blocked = blocked || ref.UID == s.uid && ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
			}
			if dependent.GetDeletionTimestamp() == nil {
				errs = append(errs, m.deleteUnowned(ctx, subject{i, dependent.GetUID()}, dependent))
			}
		}
	}
	if err := errors.Join(errs...); err != nil || blocked {
		return err
	}
	return m.dropFinalizer(ctx, s, obj, metav1.FinalizerDeleteDependents)
}

// deleteUnowned deletes an object whose owners are all gone or being deleted. Otherwise
// it only removes the references to those that are.
func (m *Manager) deleteUnowned(ctx context.Context, s subject, obj metav1.Object) error {
	refs := obj.GetOwnerReferences()
	var solid []metav1.OwnerReference
	waiting := false
	for _, ref := range refs {
		standing := m.standing(obj, ref)
		if m.elsewhere(obj, ref) {
			m.warnOfNamespace(ctx, s, obj, ref)
		}
		if standing == standingUnknown {
			var err error
			if standing, err = m.verify(ctx, obj, ref); err != nil {
				return err
			}
		}
		switch standing {
		case standingSolid:
			solid = append(solid, ref)
		case standingWaiting:
			waiting = true
		}
	}
	switch {
	case len(solid) == len(refs):
		return nil
	case len(solid) > 0:
		return ignoreGone(m.patchMeta(ctx, s.kind, obj, "ownerReferences", solid))
	}
	policy := metav1.DeletePropagationBackground
	if waiting && m.hasDependents(s.uid) {
		policy = metav1.DeletePropagationForeground
	}
	// An object that has changed may have other owners: its event is on the way.
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	err := m.kinds[s.kind].delete(ctx, obj.GetNamespace(), obj.GetName(), metav1.DeleteOptions{
		PropagationPolicy: &policy,
		Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
	})
	if apierrors.IsConflict(err) {
		return nil
	}
	return ignoreGone(err)
}

// warnOfNamespace records that an owner is not in the namespace of its dependent.
func (m *Manager) warnOfNamespace(ctx context.Context, s subject, obj metav1.Object, ref metav1.OwnerReference) {
	k := m.kinds[s.kind]
	engine.RecordEvent(ctx, m.client, engine.Event{
		About: corev1.ObjectReference{
			Kind: k.name, APIVersion: k.group, Namespace: obj.GetNamespace(), Name: obj.GetName(), UID: obj.GetUID(),
		},
		Type: corev1.EventTypeWarning, Reason: "OwnerRefInvalidNamespace", Component: "garbage-collector-controller",
		Message: fmt.Sprintf("ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
			ref.APIVersion, ref.Kind, obj.GetNamespace(), ref.Name, ref.UID, obj.GetNamespace()),
	})
}

func (m *Manager) hasDependents(uid types.UID) bool {
	return slices.ContainsFunc(m.kinds, func(k kind) bool { return len(k.owned(uid)) > 0 })
}

func (m *Manager) dropFinalizer(ctx context.Context, s subject, obj metav1.Object, finalizer string) error {
	kept := slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool { return f == finalizer })
	return m.patchMeta(ctx, s.kind, obj, "finalizers", kept)
}

// patchMeta replaces one list in the metadata, provided the object is unchanged.
func (m *Manager) patchMeta(ctx context.Context, kind int, obj metav1.Object, field string, list any) error {
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":             obj.GetUID(),
		"resourceVersion": obj.GetResourceVersion(),
		field:             list,
	}})
	if err != nil {
		return err
	}
	return m.kinds[kind].patch(ctx, obj.GetNamespace(), obj.GetName(), data)
}

// ignoreGone drops the error that means that the object no longer exists.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func waitsForDependents(obj metav1.Object) bool {
	return obj.GetDeletionTimestamp() != nil && slices.Contains(obj.GetFinalizers(), metav1.FinalizerDeleteDependents)
}

func orphansDependents(obj metav1.Object) bool {
	return slices.Contains(obj.GetFinalizers(), metav1.FinalizerOrphanDependents)
}
