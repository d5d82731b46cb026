package kubelet

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// claimRetry is how long the scheduler waits for a PersistentVolumeClaim before it looks
// again: the cache has none.
const claimRetry = time.Second

// bindClaims binds the pod's PersistentVolumeClaims, as a storage class does whose volumes
// are made for the first pod. It returns the scheduler's message if one does not exist.
func (k *Kubelet) bindClaims(ctx context.Context, w *podWorker) (string, error) {
	for _, name := range claimsOf(&w.pod.Spec) {
		claims := k.client.CoreV1().PersistentVolumeClaims(w.pod.Namespace)
		claim, err := claims.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return k.noClaim(fmt.Sprintf("persistentvolumeclaim %q not found", name)), nil
		case err != nil:
			return "", fmt.Errorf("reading persistentvolumeclaim %s/%s: %w", w.pod.Namespace, name, err)
		case claim.DeletionTimestamp != nil:
			return k.noClaim(fmt.Sprintf("persistentvolumeclaim %q is being deleted", name)), nil
		case claim.Status.Phase == corev1.ClaimBound:
			continue
		}
		claim.Status.Phase = corev1.ClaimBound
		if _, err := claims.UpdateStatus(ctx, claim, metav1.UpdateOptions{}); err != nil {
			return "", fmt.Errorf("binding persistentvolumeclaim %s/%s: %w", w.pod.Namespace, name, err)
		}
	}
	return "", nil
}

// noClaim returns the scheduler's message for a pod that fits on no node because of a
// claim.
func (k *Kubelet) noClaim(why string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("0/%d nodes are available: %s.", len(k.order), why)
}

// findClaims reads the UIDs of the pod's claims, for the runtime.
func (k *Kubelet) findClaims(ctx context.Context, w *podWorker) error {
	for _, name := range claimsOf(&w.pod.Spec) {
		claim, err := k.client.CoreV1().PersistentVolumeClaims(w.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue // since the pod was bound
		case err != nil:
			return fmt.Errorf("reading persistentvolumeclaim %s/%s: %w", w.pod.Namespace, name, err)
		}
		if w.claims == nil {
			w.claims = map[string]types.UID{}
		}
		w.claims[name] = claim.UID
	}
	return nil
}

// claimsOf returns the names of the pod's PersistentVolumeClaims.
func claimsOf(spec *corev1.PodSpec) []string {
	var names []string
	for _, v := range spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}
