package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// claim returns the Job's pods. It adopts those without a controller that match the Job's
// selector, and releases those that no longer do.
func (m *Manager) claim(ctx context.Context, job *batchv1.Job) ([]*corev1.Pod, error) {
	selector, err := selectorOf(job)
	if err != nil {
		return nil, err
	}
	foreign := func(pod *corev1.Pod) bool {
		owner, ok := jobOf(pod)
		return ok && owner == job.UID && job.DeletionTimestamp == nil && !selector.Matches(labels.Set(pod.Labels))
	}
	var claimed []*corev1.Pod
	var errs []error
	for _, pod := range m.cache.Pods.Owned(job.UID) {
		owner, ok := jobOf(pod)
		switch {
		case !ok || owner != job.UID || pod.Namespace != job.Namespace:
		case foreign(pod):
			_, err := m.changeOwner(ctx, pod, foreign, func(pod *corev1.Pod) {
				pod.OwnerReferences = slices.DeleteFunc(pod.OwnerReferences, func(ref metav1.OwnerReference) bool { return ref.UID == job.UID })
				pod.Finalizers = withoutFinalizer(pod).Finalizers
			})
			errs = append(errs, err)
		default:
			claimed = append(claimed, pod)
		}
	}
	adopted, err := m.adopt(ctx, job, selector)
	return append(claimed, adopted...), errors.Join(append(errs, err)...)
}

// adopt makes the Job the controller of the pods that it may adopt, and returns them.
func (m *Manager) adopt(ctx context.Context, job *batchv1.Job, selector labels.Selector) ([]*corev1.Pod, error) {
	var strays []*corev1.Pod
	for _, pod := range m.cache.Pods.Uncontrolled() {
		if adoptable(pod, job, selector) {
			strays = append(strays, pod)
		}
	}
	if len(strays) == 0 {
		return nil, nil
	}
	// The cached Job may not show yet that it is being deleted.
	live, err := m.client.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && live.UID != job.UID {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Job %s/%s before it adopts pods: %w", job.Namespace, job.Name, err)
	}
	stray := func(pod *corev1.Pod) bool { return adoptable(pod, live, selector) }
	var adopted []*corev1.Pod
	var errs []error
	for _, pod := range strays {
		updated, err := m.changeOwner(ctx, pod, stray, func(pod *corev1.Pod) {
			pod.OwnerReferences = append(pod.OwnerReferences, *metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job")))
			if !tracked(pod) {
				pod.Finalizers = append(pod.Finalizers, batchv1.JobTrackingFinalizer)
			}
		})
		errs = append(errs, err)
		if updated != nil {
			adopted = append(adopted, updated)
		}
	}
	return adopted, errors.Join(errs...)
}

// changeOwner changes a pod as long as due holds for it. It returns nil if it does not, or
// if the pod is gone.
func (m *Manager) changeOwner(ctx context.Context, pod *corev1.Pod, due func(*corev1.Pod) bool, change func(*corev1.Pod)) (*corev1.Pod, error) {
	pods := m.client.CoreV1().Pods(pod.Namespace)
	for current := pod; current.UID == pod.UID && due(current); {
		wanted := current.DeepCopy()
		change(wanted)
		updated, err := pods.Update(ctx, wanted, metav1.UpdateOptions{})
		if err == nil {
			m.cache.Pods.Put(updated)
			return updated, nil
		}
		if apierrors.IsConflict(err) {
			current, err = pods.Get(ctx, pod.Name, metav1.GetOptions{})
		}
		if apierrors.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("changing the owner of pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil, nil //nolint:nilnil // The pod is no longer one to change.
}

// adoptable reports whether a Job would adopt a pod.
func adoptable(pod *corev1.Pod, job *batchv1.Job, selector labels.Selector) bool {
	return pod.Namespace == job.Namespace && metav1.GetControllerOfNoCopy(pod) == nil && pod.DeletionTimestamp == nil &&
		job.DeletionTimestamp == nil && managed(job) && !finished(job) && selector.Matches(labels.Set(pod.Labels))
}

// adopters returns the Jobs that would adopt the pod.
func (m *Manager) adopters(pod *corev1.Pod) []types.UID {
	candidates := m.cache.Jobs.List
	if job, ok := m.cache.Jobs.Get(types.UID(pod.Labels[batchv1.ControllerUidLabel])); ok {
		candidates = func() []*batchv1.Job { return []*batchv1.Job{job} } // a generated selector
	}
	var found []types.UID
	for _, job := range candidates() {
		if selector, err := selectorOf(job); err == nil && adoptable(pod, job, selector) {
			found = append(found, job.UID)
		}
	}
	return found
}

// selectorOf returns the selector of a Job, by which most Jobs select one label.
func selectorOf(job *batchv1.Job) (labels.Selector, error) {
	if s := job.Spec.Selector; s != nil && len(s.MatchExpressions) == 0 {
		return labels.SelectorFromValidatedSet(s.MatchLabels), nil
	}
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("the selector of Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	return selector, nil
}
