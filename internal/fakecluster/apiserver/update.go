package apiserver

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The API server's message for a conflict.
const staleMessage = "the object has been modified; please apply your changes to the latest version and try again"

// update replaces an object: PUT of the resource or of one of its subresources. It may
// change in.
func (s *Server) update(ctx context.Context, c call, in object, opts metav1.UpdateOptions) (*revision, error) {
	c.name = in.GetName()
	if c.name == "" {
		return nil, apierrors.NewInvalid(c.res.gvk.GroupKind(), "", field.ErrorList{field.Required(field.NewPath("metadata", "name"), "name is required")})
	}
	if err := resolveNamespace(&c, in); err != nil {
		return nil, err
	}
	return s.modify(ctx, c, len(opts.DryRun) > 0, func(cur object) (object, error) {
		// A UID in a PUT is a precondition (rest.DefaultUpdatedObjectInfo).
		if uid := in.GetUID(); uid != "" && uid != cur.GetUID() {
			return nil, uidMismatch(c, uid, cur.GetUID())
		}
		if in.GetResourceVersion() != "" {
			return c.track(in, cur) // it is used once, since another writer is a conflict
		}
		return c.track(clone(in), cur)
	})
}

// modify is the API server's guaranteed update: make computes the new state from the
// stored one, and is called again if another writer was faster. A new state with a
// different resource version than the stored one is a conflict.
func (s *Server) modify(ctx context.Context, c call, dryRun bool, makeNew func(cur object) (object, error)) (*revision, error) {
	for {
		stored := s.find(c.res, c.ns, c.name)
		if stored == nil {
			return nil, apierrors.NewNotFound(c.res.groupResource(), c.name)
		}
		cur := stored.object
		obj, err := makeNew(cur)
		if err != nil {
			return nil, err
		}
		if err := checkRV(c, obj, cur); err != nil {
			return nil, err
		}
		if err := s.beforeUpdate(ctx, c, obj, cur, dryRun); err != nil {
			return nil, err
		}
		if dryRun {
			return &revision{object: obj}, nil
		}
		switch {
		case releases(obj, cur):
			// The last finalizer is gone: the update is the deletion.
			if gone, err := s.remove(c, stored); gone || err != nil {
				return &revision{object: obj}, err
			}
		case c.res.strategy.Equal(obj, cur):
			return stored, nil
		default:
			if next, err := s.swap(c, stored, obj); next != nil || err != nil {
				return next, err
			}
		}
	}
}

func checkRV(c call, obj, cur object) error {
	rv := obj.GetResourceVersion()
	if rv == "" && c.res.strategy.RequireResourceVersion {
		// The registry has no kind at hand here, and uses the name of the resource.
		named := schema.GroupKind{Group: c.res.gvr.Group, Kind: c.res.gvr.Resource}
		return apierrors.NewInvalid(named, c.name, field.ErrorList{field.Invalid(
			field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update")})
	}
	if rv != "" && rv != cur.GetResourceVersion() {
		return apierrors.NewConflict(c.res.groupResource(), c.name, errors.New(staleMessage))
	}
	return nil
}

// beforeUpdate completes the new state obj: it copies what the client cannot change
// from cur.
func (s *Server) beforeUpdate(ctx context.Context, c call, obj, cur object, dryRun bool) error {
	stripType(obj)
	if err := matchNamespace(&c, obj); err != nil {
		return err
	}
	if err := s.admit(ctx, c, obj, cur, dryRun); err != nil {
		return err
	}
	st := &c.res.strategy
	obj.SetGeneration(cur.GetGeneration())
	obj.SetResourceVersion(cur.GetResourceVersion())
	st.SetDefaults(obj)
	if !c.own {
		st.PrepareForUpdate(obj, cur, c.sub)
	}
	if obj.GetUID() == "" {
		obj.SetUID(cur.GetUID())
	}
	obj.SetCreationTimestamp(cur.GetCreationTimestamp())
	if cur.GetDeletionTimestamp() != nil {
		obj.SetDeletionTimestamp(cur.GetDeletionTimestamp())
	}
	if cur.GetDeletionGracePeriodSeconds() != nil && obj.GetDeletionGracePeriodSeconds() == nil {
		obj.SetDeletionGracePeriodSeconds(cur.GetDeletionGracePeriodSeconds())
	}
	errs := st.ValidateMetaUpdate(obj, cur, c.res.namespaced)
	if !c.own {
		errs = append(errs, st.ValidateUpdate(obj, cur, c.sub)...)
	}
	if len(errs) > 0 {
		return invalid(c, errs)
	}
	shareMeta(obj, cur)
	return nil
}

// shareMeta lets obj share what it has in common with cur. Most updates change the status
// only, and the history holds thousands of states.
func shareMeta(obj, cur object) {
	if _, custom := obj.(*unstructured.Unstructured); custom {
		return // its setters copy
	}
	if obj.GetName() == cur.GetName() {
		obj.SetName(cur.GetName())
	}
	if obj.GetGenerateName() == cur.GetGenerateName() {
		obj.SetGenerateName(cur.GetGenerateName())
	}
	if obj.GetNamespace() == cur.GetNamespace() {
		obj.SetNamespace(cur.GetNamespace())
	}
	if obj.GetUID() == cur.GetUID() {
		obj.SetUID(cur.GetUID())
	}
	if maps.Equal(obj.GetLabels(), cur.GetLabels()) {
		obj.SetLabels(cur.GetLabels())
	}
	if maps.Equal(obj.GetAnnotations(), cur.GetAnnotations()) {
		obj.SetAnnotations(cur.GetAnnotations())
	}
	if slices.Equal(obj.GetFinalizers(), cur.GetFinalizers()) {
		obj.SetFinalizers(cur.GetFinalizers())
	}
	if reflect.DeepEqual(obj.GetOwnerReferences(), cur.GetOwnerReferences()) {
		obj.SetOwnerReferences(cur.GetOwnerReferences())
	}
}

// releases reports whether an update to obj completes the object's deletion.
func releases(obj, cur object) bool {
	if cur.GetDeletionTimestamp() == nil || len(obj.GetFinalizers()) > 0 {
		return false
	}
	if ns, ok := obj.(*corev1.Namespace); ok && len(ns.Spec.Finalizers) > 0 {
		return false
	}
	grace := cur.GetDeletionGracePeriodSeconds()
	return grace == nil || *grace == 0
}
