package apiserver

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// delete removes an object as the registry's Store.Delete does: at once, or by
// marking it with a deletion timestamp where a grace period or a finalizer holds it.
// It returns the last state, and whether the object is gone.
func (s *Server) delete(ctx context.Context, c call, opts metav1.DeleteOptions) (last *revision, gone bool, err error) {
	dryRun := len(opts.DryRun) > 0
	for {
		stored := s.find(c.res, c.ns, c.name)
		if stored == nil {
			if last != nil {
				return last, true, nil
			}
			return nil, false, apierrors.NewNotFound(c.res.groupResource(), c.name)
		}
		cur := stored.object
		if last == nil {
			if err := checkPreconditions(c, cur, opts.Preconditions); err != nil {
				return nil, false, err
			}
			if err := s.checkNamespaceDeletion(c); err != nil {
				return nil, false, err
			}
			if err := s.admit(ctx, c, nil, cur, dryRun); err != nil {
				return nil, false, err
			}
		}
		obj := clone(cur)
		how := markDeleted(c.res, obj, opts)
		same := how == alreadyDeleting || c.res.strategy.Equal(obj, cur)
		switch {
		case dryRun:
			return &revision{object: obj}, how == removeNow || how == markThenRemove, nil
		case same && (how == keep || how == alreadyDeleting):
			return stored, false, nil
		case how == keep:
			if next, err := s.swap(c, stored, obj); next != nil || err != nil {
				return next, false, err
			}
		case how == markThenRemove && !same:
			// An object of a type with graceful deletion is marked first even if its
			// period is zero: watches see MODIFIED, then DELETED. It is deleted even
			// if another client writes in between, since its period has passed.
			next, err := s.swap(c, stored, obj)
			if err != nil {
				return nil, false, err
			}
			if next != nil {
				last = next
			}
		default:
			if gone, err := s.remove(c, stored); gone || err != nil {
				return stored, true, err
			}
		}
	}
}

// deleteCollection deletes what matches, one object after the other, and returns it.
func (s *Server) deleteCollection(ctx context.Context, c call, opts metav1.DeleteOptions, listOpts metav1.ListOptions) (result, error) {
	listOpts.Limit, listOpts.Continue = 0, ""
	found, err := s.list(c, listOpts)
	if err != nil {
		return result{}, err
	}
	for _, o := range found.items {
		one := c
		one.ns, one.name = o.GetNamespace(), o.GetName()
		if _, _, err := s.delete(ctx, one, opts); err != nil && !apierrors.IsNotFound(err) {
			return result{}, err
		}
	}
	return found, nil
}

func checkPreconditions(c call, cur object, p *metav1.Preconditions) error {
	if p == nil {
		return nil
	}
	// The registry has no resource name at hand here, and uses the kind.
	named := schema.GroupResource{Group: c.res.gvk.Group, Resource: c.res.gvk.Kind}
	if p.UID != nil && *p.UID != cur.GetUID() {
		return apierrors.NewConflict(named, c.name, fmt.Errorf(
			"the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", *p.UID, cur.GetUID()))
	}
	if p.ResourceVersion != nil && *p.ResourceVersion != cur.GetResourceVersion() {
		return apierrors.NewConflict(named, c.name, fmt.Errorf(
			"the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The object might have been modified", *p.ResourceVersion, cur.GetResourceVersion()))
	}
	return nil
}

// deletion is what a delete request does to an object.
type deletion int

const (
	removeNow       deletion = iota
	markThenRemove           // write the deletion timestamp, then remove
	keep                     // write the deletion timestamp; a grace period or a finalizer holds the object
	alreadyDeleting          // this request changes nothing
)

// markDeleted changes obj, a copy of the stored object, as a deletion does.
func markDeleted(r *resource, obj object, opts metav1.DeleteOptions) deletion {
	graceful, pending := gracefully(obj, opts.GracePeriodSeconds)
	if pending {
		return alreadyDeleting
	}
	obj.SetFinalizers(deletionFinalizers(r, obj, opts))
	held := len(obj.GetFinalizers()) > 0
	if ns, ok := obj.(*corev1.Namespace); ok && len(ns.Spec.Finalizers) > 0 {
		ns.Status.Phase = corev1.NamespaceTerminating
		held = true
	}
	switch {
	case graceful && (held || *obj.GetDeletionGracePeriodSeconds() > 0):
		return keep
	case graceful:
		return markThenRemove
	case !held:
		return removeNow
	}
	t := now()
	if obj.GetDeletionTimestamp() == nil {
		bumpGeneration(obj)
	}
	if d := obj.GetDeletionTimestamp(); d == nil || d.After(t.Time) {
		obj.SetDeletionTimestamp(&t)
	}
	if r != namespaces { // it has its own finalizers and registry
		var zero int64
		obj.SetDeletionGracePeriodSeconds(&zero)
	}
	return keep
}

// gracefully applies the grace period of types that have one (rest.BeforeDelete):
// pods only. graceful means that the deletion timestamp and period of obj are now set.
func gracefully(obj object, asked *int64) (graceful, pending bool) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return false, false
	}
	if asked != nil && *asked < 0 {
		one := int64(1)
		asked = &one
	}
	if d := pod.DeletionTimestamp; d != nil {
		have := pod.DeletionGracePeriodSeconds
		if have == nil || *have == 0 {
			return false, false
		}
		if asked == nil || *asked >= *have {
			return false, true
		}
		// The period can only be shortened; it counts from the first request.
		period := *asked
		at := metav1.NewTime(d.Add(time.Duration(period-*have) * time.Second))
		if t := now(); at.Before(&t) {
			at = t
			if period != 0 {
				period = 1
			}
		}
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &period
		return true, false
	}
	period := int64(0)
	switch {
	case pod.Spec.NodeName == "", terminal(pod):
		// No container is running, so there is nothing to wait for.
	case asked != nil:
		period = *asked
	case pod.Spec.TerminationGracePeriodSeconds != nil:
		period = *pod.Spec.TerminationGracePeriodSeconds
	}
	at := metav1.NewTime(now().Add(time.Duration(period) * time.Second))
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &period
	bumpGeneration(pod)
	return true, false
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func bumpGeneration(o object) {
	if g := o.GetGeneration(); g > 0 {
		o.SetGeneration(g + 1)
	}
}

// deletionFinalizers returns obj's finalizers with those that make the garbage
// collector orphan or delete the dependents. The order of precedence is: the request,
// a finalizer that is there, the default of the type.
func deletionFinalizers(r *resource, obj object, opts metav1.DeleteOptions) []string {
	have := obj.GetFinalizers()
	orphan := slices.Contains(have, metav1.FinalizerOrphanDependents)
	foreground := slices.Contains(have, metav1.FinalizerDeleteDependents)
	switch {
	case r.strategy.NoGarbageCollection:
		orphan, foreground = false, false
	case opts.OrphanDependents != nil: //nolint:staticcheck // old clients send it
		orphan, foreground = *opts.OrphanDependents, false //nolint:staticcheck // see above
	case opts.PropagationPolicy != nil:
		orphan = *opts.PropagationPolicy == metav1.DeletePropagationOrphan
		foreground = *opts.PropagationPolicy == metav1.DeletePropagationForeground
	case !orphan && !foreground:
		orphan = r.strategy.OrphanDependents
	}
	kept := slices.DeleteFunc(slices.Clone(have), func(f string) bool {
		return f == metav1.FinalizerOrphanDependents || f == metav1.FinalizerDeleteDependents
	})
	if orphan {
		kept = append(kept, metav1.FinalizerOrphanDependents)
	}
	if foreground {
		kept = append(kept, metav1.FinalizerDeleteDependents)
	}
	return kept
}
