package controller

import (
	"context"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// deletions counts deleted pods.
type deletions struct{ pods, ready int32 }

// rescale creates or deletes pods according to facts.scale, and returns how many are
// active then.
func (m *Manager) rescale(ctx context.Context, f *facts) (int32, error) {
	plan := f.scale()
	active := int32(len(f.active))
	if plan.wait > 0 {
		m.jobs.AddAfter(f.job.UID, plan.wait)
	}
	if len(plan.remove) > 0 {
		deleted, err := m.deletePods(ctx, plan.remove, true)
		f.terminating += deleted.pods
		f.ready -= deleted.ready
		return active - deleted.pods, err
	}
	for _, s := range plan.create {
		pod, err := m.client.CoreV1().Pods(f.job.Namespace).Create(ctx, f.newPod(s), metav1.CreateOptions{})
		if err != nil {
			if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
				return active, nil // no pod will ever be created there again
			}
			m.events.warning(ctx, f.job, "FailedCreate", "Error creating: "+err.Error())
			return active, fmt.Errorf("creating a pod for Job %s/%s: %w", f.job.Namespace, f.job.Name, err)
		}
		active++
		m.cache.Pods.Put(pod)
		m.events.normalEvent(ctx, f.job, "SuccessfulCreate", "Created pod: "+pod.Name)
	}
	return active, nil
}

// deletePods deletes pods. If strip is set, it first removes their tracking finalizer,
// so that they are not counted as failures.
func (m *Manager) deletePods(ctx context.Context, pods []*corev1.Pod, strip bool) (deletions, error) {
	var done deletions
	var errs []error
	for _, pod := range pods {
		if strip {
			if err := m.releasePod(ctx, pod); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		background := metav1.DeletePropagationBackground
		err := m.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			PropagationPolicy: &background,
			Preconditions:     &metav1.Preconditions{UID: &pod.UID},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("deleting pod %s/%s: %w", pod.Namespace, pod.Name, err))
			continue
		}
		m.reread(ctx, pod)
		done.pods++
		if ready(pod) {
			done.ready++
		}
	}
	return done, errors.Join(errs...)
}

// reread updates the cached pod after a write that returns no object.
func (m *Manager) reread(ctx context.Context, pod *corev1.Pod) {
	fresh, err := m.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && fresh.UID != pod.UID:
		m.cache.Pods.Remove(pod.UID)
	case err == nil:
		m.cache.Pods.Put(fresh)
	}
}

// releasePods removes the tracking finalizer from pods, and returns those from which
// it was removed.
func (m *Manager) releasePods(ctx context.Context, pods []*corev1.Pod) ([]*corev1.Pod, error) {
	var released []*corev1.Pod
	var errs []error
	for _, pod := range pods {
		if err := m.releasePod(ctx, pod); err != nil {
			errs = append(errs, err)
			continue
		}
		released = append(released, pod)
	}
	return released, errors.Join(errs...)
}

func (m *Manager) releasePod(ctx context.Context, pod *corev1.Pod) error {
	for current := pod; tracked(current); {
		updated, err := m.client.CoreV1().Pods(pod.Namespace).Update(ctx, withoutFinalizer(current), metav1.UpdateOptions{})
		switch {
		case err == nil:
			m.cache.Pods.Put(updated)
			if updated.DeletionTimestamp != nil {
				// Removing the last finalizer may have been the deletion. The
				// pod must not be seen with its finalizer again, or its end
				// would be counted twice.
				m.reread(ctx, updated)
			}
			return nil
		case apierrors.IsNotFound(err):
			m.cache.Pods.Remove(pod.UID)
			return nil
		case !apierrors.IsConflict(err):
			return fmt.Errorf("removing the finalizer of pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		current, err = m.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && current.UID != pod.UID:
			m.cache.Pods.Remove(pod.UID)
			return nil
		case err != nil:
			return fmt.Errorf("reading pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}

func withoutFinalizer(pod *corev1.Pod) *corev1.Pod {
	var kept []string
	for _, f := range pod.Finalizers {
		if f != batchv1.JobTrackingFinalizer {
			kept = append(kept, f)
		}
	}
	shared := *pod // the rest is sent as it is
	shared.Finalizers = kept
	return &shared
}

// syncOrphan removes the tracking finalizer of a pod whose Job no longer exists.
func (m *Manager) syncOrphan(ctx context.Context, uid types.UID) error {
	pod, ok := m.cache.Pods.Get(uid)
	if !ok || !tracked(pod) {
		return nil
	}
	if owner, owned := jobOf(pod); owned {
		if job, known := m.cache.Jobs.Get(owner); known && job.Namespace == pod.Namespace {
			return nil
		}
		// The caches of Jobs and pods are independent: read the Job first.
		job, err := m.client.BatchV1().Jobs(pod.Namespace).Get(ctx, controllerName(pod), metav1.GetOptions{})
		if err == nil && job.UID == owner {
			m.cache.Jobs.Put(job)
			return nil
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("reading the Job of pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		return m.releasePod(ctx, pod)
	}
	// A Job may adopt it meanwhile.
	unowned := func(pod *corev1.Pod) bool {
		_, owned := jobOf(pod)
		return !owned && tracked(pod)
	}
	_, err := m.changeOwner(ctx, pod, unowned, func(pod *corev1.Pod) { pod.Finalizers = withoutFinalizer(pod).Finalizers })
	return err
}

func controllerName(pod *corev1.Pod) string {
	if ref := metav1.GetControllerOf(pod); ref != nil {
		return ref.Name
	}
	return ""
}
