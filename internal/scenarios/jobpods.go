package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// jobPods returns scenarios about which pods belong to a Job, and when it replaces them.
func jobPods() []*Scenario {
	var before *batchv1.Job // the Job before its pod was deleted
	slow := func(ctx context.Context) containers.Exit {
		<-ctx.Done()
		timer := time.NewTimer(2 * time.Second)
		defer timer.Stop()
		<-timer.C
		return containers.Exit{Code: 143}
	}
	restarts := &Scenario{
		Name: "policy-after-restart", Shows: "the restart of a container by its own policy is no failure for the podFailurePolicy",
		Needs: []Capability{RestartRules},
		Job: jobOf("[ -e /work/second ] || { touch /work/second; exit 1; }", func(s *batchv1.JobSpec) {
			s.PodFailurePolicy = onExit(batchv1.PodFailurePolicyActionFailJob, 1)
			spec := &s.Template.Spec
			spec.Containers[0].RestartPolicy = new(corev1.ContainerRestartPolicyOnFailure)
			mounts("work", "/work")(&spec.Containers[0])
			spec.Volumes = []corev1.Volume{{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		}),
		Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: pods(1, succeeded)},
	}
	return []*Scenario{
		{
			Name: "pod-adopted", Shows: "the running pod loses its owner reference, and the Job adopts it again",
			Job: jobOf(hang, func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(stuckFor / time.Second)) }), Play: playHang("main"),
			During: func(ctx context.Context, r *Run) error {
				return firstError(r.adopted(ctx), r.deadlineNow(ctx))
			},
			// The pod is counted, so it has the Job's finalizer again.
			Want: Want{
				FailedPods: 1, Pods: pods(1, failed), Message: []string{"DeadlineExceeded"},
				Exit: &WantExit{Container: "main", Code: 143, Signal: 15, Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded},
			},
		},
		{
			Name: "pod-released", Shows: "the running pod loses its labels, and the Job releases it and creates another one",
			Job: waiting(func(*batchv1.JobSpec) {}), Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				pod, err := r.runningPod(ctx)
				return firstError(err, r.ready(ctx), r.released(ctx, pod))
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: []WantPod{{Phase: corev1.PodRunning}, succeeded}},
		},
		{
			Name: "pod-finalizer", Shows: "a deleted pod is replaced although a finalizer keeps it",
			Job: waiting(func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(1)) }), Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				pod, err := r.runningPod(ctx)
				if err != nil {
					return err
				}
				pods := r.Admin.CoreV1().Pods(r.Namespace)
				_, err = pods.Patch(ctx, pod.Name, types.StrategicMergePatchType, []byte(`{"metadata":{"finalizers":["`+holdFinalizer+`"]}}`), metav1.PatchOptions{})
				return firstError(err, r.ready(ctx), pods.Delete(ctx, pod.Name, metav1.DeleteOptions{}))
			},
			Want: Want{
				Complete: true, SucceededPods: 1, FailedPods: 1, Pods: []WantPod{failed, succeeded}, Message: []string{"SIGTERM"},
			},
			After: letGo,
		},
		{
			Name: "pod-replaced-when-failed", Shows: "a deleted pod is replaced only after it has failed, with podReplacementPolicy Failed",
			Job: jobOf(`[ "$READY" = yes ] || { trap 'sleep 2; exit 143' TERM; sleep 1000 & wait; }`, func(s *batchv1.JobSpec) {
				s.BackoffLimit, s.PodReplacementPolicy = new(int32(1)), new(batchv1.Failed)
				readyEnv(s)
			}), Play: playReady(slow),
			During: func(ctx context.Context, r *Run) error {
				pod, err := r.runningPod(ctx)
				if err = firstError(err, r.ready(ctx)); err != nil {
					return err
				}
				if before, err = r.job(ctx); err != nil {
					return err
				}
				return r.Admin.CoreV1().Pods(r.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
			},
			Want: Want{
				Complete: true, SucceededPods: 1, FailedPods: 1, Pods: []WantPod{failed, succeeded}, Message: []string{"SIGTERM"},
			},
			After: func(ctx context.Context, r *Run) error { return r.replacedLate(ctx, before) },
		},
		{
			Name: "policy-ignores-exit-code", Shows: "the podFailurePolicy ignores exit code 42, with backoffLimit 0",
			Job: jobOf(`[ "$READY" = yes ] || { trap 'exit 42' TERM; sleep 1000 & wait; }`, func(s *batchv1.JobSpec) {
				s.PodFailurePolicy = onExit(batchv1.PodFailurePolicyActionIgnore, 42)
				readyEnv(s)
			}),
			Play: playReady(func(ctx context.Context) containers.Exit { <-ctx.Done(); return containers.Exit{Code: 42} }),
			During: func(ctx context.Context, r *Run) error {
				_, err := r.runningPod(ctx)
				return firstError(err, r.ready(ctx),
					r.Admin.CoreV1().Pods(r.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: []WantPod{failed, succeeded}},
		},
		restarts,
		{
			Name: "pods-in-turn", Shows: "three pods that may run at once run in turn, since the node has CPU for one",
			Needs:  []Capability{NodeCapacity},
			Job:    jobOf("sleep 1", func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = new(int32(3)), new(int32(3)) }),
			Play:   play(containers.Script{Run: time.Second}),
			Before: mostOfNode,
			Want:   Want{Succeeded: true, Complete: true, SucceededPods: 3, Pods: pods(3, succeeded)},
			After:  inTurn,
		},
	}
}

// adopted removes the owner reference of the running pod, and waits until the Job has
// adopted it.
func (r *Run) adopted(ctx context.Context) error {
	pod, err := r.runningPod(ctx)
	if err != nil {
		return err
	}
	pods := r.Admin.CoreV1().Pods(r.Namespace)
	owner := pod.OwnerReferences
	pod, err = pods.Patch(ctx, pod.Name, mergePatch, []byte(`{"metadata":{"ownerReferences":null}}`), metav1.PatchOptions{})
	if err != nil || len(pod.OwnerReferences) > 0 {
		return errors.Join(errors.New("remove the owner reference"), err)
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		pod, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil || len(pod.OwnerReferences) == 0 {
			return false, err
		}
		have, want := metav1.GetControllerOf(pod), owner[0]
		if have == nil || have.UID != want.UID || have.Kind != want.Kind || have.Name != want.Name {
			return false, fmt.Errorf("the pod was adopted by %v, want %v", have, want)
		}
		return slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer), nil
	})
}

// released removes the labels of the pod, and waits until no controller owns it.
func (r *Run) released(ctx context.Context, pod *corev1.Pod) error {
	pods := r.Admin.CoreV1().Pods(r.Namespace)
	if _, err := pods.Patch(ctx, pod.Name, mergePatch, []byte(`{"metadata":{"labels":null}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		pod, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if pod.DeletionTimestamp != nil {
			return false, errors.New("the pod was deleted")
		}
		return len(pod.OwnerReferences) == 0 && !slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer), nil
	})
}

// letGo requires that the deleted pod still exists without the Job's finalizer, and removes
// its own.
func letGo(ctx context.Context, r *Run) error {
	held, err := r.pods(ctx, 1, func(p *corev1.Pod) bool { return slices.Contains(p.Finalizers, holdFinalizer) })
	if err != nil {
		return fmt.Errorf("the deleted pod: %w", err)
	}
	pod := held[0]
	pods := r.Admin.CoreV1().Pods(r.Namespace)
	if _, err := pods.Patch(ctx, pod.Name, mergePatch, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	if pod.DeletionTimestamp == nil || pod.Status.Phase != corev1.PodFailed || len(pod.Finalizers) != 1 {
		return fmt.Errorf("the deleted pod has the phase %s and the finalizers %v", pod.Status.Phase, pod.Finalizers)
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		_, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

// replacedLate follows the Job since its pod was deleted. The Job must have counted it as
// terminating, then as failed when it no longer was, and no pod as active before.
func (r *Run) replacedLate(ctx context.Context, before *batchv1.Job) error {
	changes, err := r.Admin.BatchV1().Jobs(r.Namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: before.ResourceVersion})
	if err != nil {
		return err
	}
	defer changes.Stop()
	var terminating, early bool
	var counted batchv1.JobStatus
	err = follow(ctx, changes, func(_ watch.EventType, job *batchv1.Job) bool {
		counted = job.Status
		still := counted.Terminating != nil && *counted.Terminating == 1
		failed := int(counted.Failed)
		if counted.UncountedTerminatedPods != nil { // it has failed, and still has the Job's finalizer
			failed += len(counted.UncountedTerminatedPods.Failed)
		}
		terminating = terminating || still && failed == 0 && counted.Active == 0
		early = early || terminating && failed == 0 && counted.Active > 0 || still && failed > 0
		return counted.Failed > 0
	})
	if err != nil || !terminating || early {
		return errors.Join(fmt.Errorf("the deleted pod was counted as terminating alone: %t, and as failed or replaced before its end: %t: %+v",
			terminating, early, counted), err)
	}
	list := byCreation(r.result().pods)
	ended := list[0].Status.ContainerStatuses[0].State.Terminated
	if ended == nil || list[1].CreationTimestamp.Before(&ended.FinishedAt) {
		return fmt.Errorf("the second pod was created at %s, and the first one ended as %+v", list[1].CreationTimestamp, ended)
	}
	return nil
}

// mostOfNode makes the container request more than half of the node's CPU.
func mostOfNode(ctx context.Context, r *Run) error {
	nodes, err := r.Admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	usable := slices.DeleteFunc(nodes.Items, func(n corev1.Node) bool { return n.Spec.Unschedulable || len(n.Spec.Taints) > 0 })
	if len(usable) != 1 {
		return fmt.Errorf("pods can run on %d nodes, want 1", len(usable))
	}
	all := usable[0].Status.Allocatable.Cpu().MilliValue()
	r.Scenario.Job.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewMilliQuantity(all*6/10, resource.DecimalSI),
	}
	return nil
}

// inTurn requires that no two containers ran at once.
func inTurn(_ context.Context, r *Run) error {
	type span struct{ from, to time.Time }
	var spans []span
	for _, p := range r.result().pods {
		t := p.Pod.Status.ContainerStatuses[0].State.Terminated
		if t == nil {
			return fmt.Errorf("the container of pod %s has not ended: %+v", p.Pod.Name, p.Pod.Status)
		}
		spans = append(spans, span{t.StartedAt.Time, t.FinishedAt.Time})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	for i := range len(spans) - 1 {
		if spans[i+1].from.Before(spans[i].to) {
			return fmt.Errorf("two containers ran at once: %v", spans)
		}
	}
	return nil
}
