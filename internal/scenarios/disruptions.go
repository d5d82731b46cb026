package scenarios

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
)

// evictPod evicts the running pod through the Eviction API, as kubectl drain does.
func (r *Run) evictPod(ctx context.Context) error {
	pod, err := r.runningPod(ctx)
	if err != nil {
		return err
	}
	return r.Admin.PolicyV1().Evictions(r.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: r.Namespace},
	})
}

const mergePatch = types.MergePatchType

// disruptions returns scenarios in which the Execution, the namespace or the pod of a
// running step is deleted.
func disruptions() []*Scenario {
	killed := WantExit{Container: "main", Code: 143, Signal: 15, Reason: "Error", Class: kontinue.ClassInfrastructure}
	deletePod := func(grace *int64) func(ctx context.Context, r *Run) error {
		return func(ctx context.Context, r *Run) error {
			pod, err := r.runningPod(ctx)
			if err != nil {
				return err
			}
			return r.Admin.CoreV1().Pods(r.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: grace})
		}
	}
	return []*Scenario{
		{
			Name: "execution-deleted", Shows: "the Execution's object is deleted, and the garbage collector deletes the Job",
			Pod: podOf(hang), Play: playHang("main"),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.runningPod(ctx); err != nil {
					return err
				}
				return r.Admin.CoreV1().ConfigMaps(r.Namespace).Delete(ctx, "execution", metav1.DeleteOptions{})
			},
			Want: Want{Err: kontinue.ErrJobDeleted},
		},
		{
			Name: "execution-replaced", Shows: "the Execution's object was created again, with another UID, and the garbage collector deletes the Job",
			Pod: podOf(hang), Play: playHang("main"),
			Earlier: func(ctx context.Context, r *Run) error {
				objects := r.Admin.CoreV1().ConfigMaps(r.Namespace)
				if err := objects.Delete(ctx, "execution", metav1.DeleteOptions{}); err != nil {
					return err
				}
				_, err := newExecution(ctx, r.Admin, r.Namespace)
				return err
			},
			Want: Want{Err: kontinue.ErrJobDeleted},
		},
		{
			Name: "pod-deleted", Shows: "the only pod is deleted while it is running",
			Pod: podOf(hang), Play: playHang("main"),
			During: deletePod(nil),
			Want:   podFails(killed, "SIGTERM"),
		},
		{
			Name: "pod-deleted-by-force", Shows: "the only pod is deleted with grace period 0",
			Pod: podOf(hang), Play: playHang("main"),
			During: deletePod(new(int64(0))),
			Want:   podFails(WantExit{Container: "main", AnyCode: true, Reason: "Error", Class: kontinue.ClassInfrastructure}, `container "main" failed`),
		},
		{
			Name: "pod-deleted-and-replaced", Shows: "a pod of a Job with backoffLimit 1 is deleted, and the next one succeeds",
			Job: jobOf(`[ "$READY" = yes ] || { `+hang+`; }`, func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(1))
				readyEnv(s)
			}),
			Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.runningPod(ctx); err != nil {
					return err
				}
				if err := r.ready(ctx); err != nil {
					return err
				}
				return deletePod(nil)(ctx, r)
			},
			Want: Want{
				Complete: true, SucceededPods: 1, FailedPods: 1, Pods: []WantPod{failed, succeeded},
				Message: []string{"SIGTERM"},
			},
		},
		{
			Name: "pod-evicted", Shows: "the only pod is evicted through the Eviction API, as by kubectl drain",
			Pod: podOf(hang), Play: playHang("main"),
			During: func(ctx context.Context, r *Run) error { return r.evictPod(ctx) },
			Want: podFails(WantExit{
				Container: "main", Code: 143, Signal: 15, Reason: "EvictionByEvictionAPI", Is: kontinue.ErrEvicted, Class: kontinue.ClassInfrastructure,
			}, "pod disrupted: EvictionByEvictionAPI", "SIGTERM"),
		},
		{
			// Without retries the Job could fail first, if its pod is deleted before it.
			Name: "namespace-deleted", Shows: "the namespace is deleted while the step is running",
			Race: "the namespace controller deletes the Job before or after the ServiceAccount with which the worker reads it",
			Job:  jobOf(hang, func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(6)) }), Play: playHang("main"),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.runningPod(ctx); err != nil {
					return err
				}
				return r.Admin.CoreV1().Namespaces().Delete(ctx, r.Namespace, metav1.DeleteOptions{})
			},
			Want: Want{Err: kontinue.ErrJobDeleted},
		},
	}
}
