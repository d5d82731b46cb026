package controller

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// syncNamespace gives a new namespace its ServiceAccount. It deletes the contents of one
// that is being deleted and, once it is empty, finalizes it. It runs again when a remaining
// object is deleted.
func (m *Manager) syncNamespace(ctx context.Context, uid types.UID) error {
	ns, ok := m.cache.Namespaces.Get(uid)
	if !ok {
		return nil
	}
	if ns.DeletionTimestamp == nil {
		return m.createAccount(ctx, ns.Name)
	}
	var errs []error
	left := 0
	for _, k := range m.kinds {
		for _, obj := range k.list() {
			if obj.GetNamespace() != ns.Name {
				continue
			}
			left++
			if obj.GetDeletionTimestamp() != nil {
				continue
			}
			policy, objUID := metav1.DeletePropagationBackground, obj.GetUID()
			err := k.delete(ctx, ns.Name, obj.GetName(), metav1.DeleteOptions{
				PropagationPolicy: &policy,
				Preconditions:     &metav1.Preconditions{UID: &objUID},
			})
			errs = append(errs, ignoreGone(err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("emptying namespace %s: %w", ns.Name, err)
	}
	if left > 0 {
		return nil
	}
	clean, err := m.sweep(ctx, ns.Name)
	if err != nil {
		return fmt.Errorf("emptying namespace %s: %w", ns.Name, err)
	}
	if !clean {
		m.namespaces.AddAfter(uid, m.opts.RetryBase)
		return nil
	}
	empty := ns.DeepCopy()
	empty.Spec.Finalizers = nil
	_, err = m.client.CoreV1().Namespaces().Finalize(ctx, empty, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("finalizing namespace %s: %w", ns.Name, err)
	}
	return nil
}

// createAccount creates the ServiceAccount "default", as the service account controller
// does.
func (m *Manager) createAccount(ctx context.Context, namespace string) error {
	_, err := m.client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return fmt.Errorf("creating the service account of namespace %s: %w", namespace, err)
	}
	return nil
}

// sweep deletes what the API server still has in a namespace, of whatever kind, and
// reports whether nothing is left.
func (m *Manager) sweep(ctx context.Context, namespace string) (clean bool, err error) {
	resources, err := m.known.namespaced(ctx)
	if err != nil {
		return false, err
	}
	clean = true
	policy := metav1.DeletePropagationBackground
	for _, gvr := range resources {
		in := m.partial.Resource(gvr).Namespace(namespace)
		if err := in.DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &policy}, metav1.ListOptions{}); err != nil {
			return false, err
		}
		left, err := in.List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		clean = clean && len(left.Items) == 0
	}
	return clean, nil
}
