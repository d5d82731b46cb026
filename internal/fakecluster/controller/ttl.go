package controller

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// syncTTL deletes a finished Job once spec.ttlSecondsAfterFinished has passed
// since its final condition, in the foreground as the real controller does.
func (m *Manager) syncTTL(ctx context.Context, uid types.UID) error {
	cached, ok := m.cache.Jobs.Get(uid)
	if !ok {
		return nil
	}
	if left, due := expiry(cached, time.Now()); !due || left > 0 {
		if due {
			m.ttl.AddAfter(uid, left)
		}
		return nil
	}
	// The TTL may have changed: read the stored Job.
	job, err := m.client.BatchV1().Jobs(cached.Namespace).Get(ctx, cached.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Job %s/%s: %w", cached.Namespace, cached.Name, err)
	}
	if left, due := expiry(job, time.Now()); job.UID != uid || !due || left > 0 {
		if due && job.UID == uid {
			m.ttl.AddAfter(uid, left)
		}
		return nil
	}
	err = m.client.BatchV1().Jobs(job.Namespace).Delete(ctx, job.Name, metav1.DeleteOptions{
		PropagationPolicy: &foreground,
		Preconditions:     &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting Job %s/%s after its TTL: %w", job.Namespace, job.Name, err)
	}
	return nil
}

// expiry returns how long the Job may still stay, if it has a TTL that runs.
func expiry(job *batchv1.Job, now time.Time) (time.Duration, bool) {
	if job.Spec.TTLSecondsAfterFinished == nil || job.DeletionTimestamp != nil {
		return 0, false
	}
	for _, kind := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
		if c := conditionTrue(&job.Status, kind); c != nil {
			ttl := time.Duration(*job.Spec.TTLSecondsAfterFinished) * time.Second
			return c.LastTransitionTime.Add(ttl).Sub(now), true
		}
	}
	return 0, false
}
