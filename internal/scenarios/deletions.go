package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
)

// deletions returns scenarios in which the Job of a running step is deleted.
func deletions() []*Scenario {
	deleted := func(name, shows string, policy metav1.DeletionPropagation, after func(ctx context.Context, r *Run, since string) error) *Scenario {
		var since string // the version of the running pod
		return &Scenario{
			Name: name, Shows: "the Job is deleted manually with " + shows,
			Pod: podOf(hang), Play: playHang("main"),
			During: func(ctx context.Context, r *Run) error {
				pod, err := r.runningPod(ctx)
				if err != nil {
					return err
				}
				since = pod.ResourceVersion
				job, err := r.job(ctx)
				if err != nil {
					return err
				}
				return r.Admin.BatchV1().Jobs(r.Namespace).Delete(ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: &policy})
			},
			Want:  Want{Err: kontinue.ErrJobDeleted, ErrText: []string{"was deleted before its end was known"}},
			After: func(ctx context.Context, r *Run) error { return after(ctx, r, since) },
		}
	}
	inOrder := func(podFirst bool) func(ctx context.Context, r *Run, since string) error {
		return func(ctx context.Context, r *Run, since string) error {
			pod, err := goneAt(ctx, r.Admin.CoreV1().Pods(r.Namespace), since)
			if err != nil {
				return fmt.Errorf("the pod was not deleted: %w", err)
			}
			job, err := goneAt(ctx, r.Admin.BatchV1().Jobs(r.Namespace), since)
			if err == nil && (pod < job) != podFirst {
				err = fmt.Errorf("the pod was deleted before the Job: %t, want %t", pod < job, podFirst)
			}
			return err
		}
	}
	return []*Scenario{
		deleted("job-deleted", "background propagation, and its pod after it", metav1.DeletePropagationBackground, inOrder(false)),
		deleted("job-deleted-foreground", "foreground propagation, and its pod before it", metav1.DeletePropagationForeground, inOrder(true)),
		deleted("job-deleted-orphan", "orphan propagation, the API's default, and its pod stays", metav1.DeletePropagationOrphan, orphaned),
	}
}

// goneAt follows the objects of a kind since a version until one of them is gone, and
// returns the version at which it was.
func goneAt(ctx context.Context, objects interface {
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}, since string) (version uint64, err error) {
	changes, err := objects.Watch(ctx, metav1.ListOptions{ResourceVersion: since})
	if err != nil {
		return 0, err
	}
	defer changes.Stop()
	var text string
	err = follow(ctx, changes, func(e watch.EventType, o metav1.Object) bool {
		text = o.GetResourceVersion()
		return e == watch.Deleted
	})
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 10, 64)
}

// orphaned requires that the pod of the deleted Job keeps running, without an owner and
// without the Job's finalizer.
func orphaned(ctx context.Context, r *Run, _ string) error {
	var last *corev1.Pod
	err := eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.Admin.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		if len(list.Items) != 1 {
			return false, fmt.Errorf("%d pods are left", len(list.Items))
		}
		last = &list.Items[0]
		return len(last.OwnerReferences) == 0 && !slices.Contains(last.Finalizers, batchv1.JobTrackingFinalizer), nil
	})
	if err == nil && (last.DeletionTimestamp != nil || last.Status.Phase != corev1.PodRunning) {
		err = fmt.Errorf("the pod was stopped: %+v", last.Status)
	}
	return err
}
