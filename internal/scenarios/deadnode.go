package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/jobs"
)

// lostLimit is the limit of a pod that does not stop. The Job is stopped when it is over,
// and a minute later its step ends without it.
const lostLimit = 5 * time.Second

// deadNode returns the scenario in which the node of a running pod dies. No kubelet
// confirms the deletion of the pod, so that its Job does not end.
func deadNode() []*Scenario {
	lost := podOf(hang)
	lost.StartLimits = kontinue.StartLimits{"NodeLost": lostLimit}
	lost.Spec.TerminationGracePeriodSeconds = new(int64(1)) // for which a dead node has no use
	return []*Scenario{{
		Name: "gave-up-dead-node", Shows: "the node dies while the container is running, and comes back when the step has ended", Needs: []Capability{NodeLoss},
		Pod: lost, Play: playHang("main"),
		During: func(ctx context.Context, r *Run) error {
			if _, err := r.runningPod(ctx); err != nil {
				return err
			}
			return r.cluster.KillNode(ctx)
		},
		Want: Want{
			Pods:    pods(1, WantPod{Phase: corev1.PodRunning}), // as far as the API server knows
			Message: []string{"NodeLost", "gave up after", "pod is being deleted and has not stopped since", "alive?"},
			Exit:    &WantExit{Reason: "NodeLost", Class: kontinue.ClassInfrastructure, Is: kontinue.ErrNodeLost},
		},
		Settle: func(ctx context.Context, r *Run) error {
			if err := firstError(r.heldByNode(ctx), r.resume(ctx)); err != nil {
				return fmt.Errorf("while the node is dead: %w", err)
			}
			return r.nodeReturns(ctx)
		},
		After: func(ctx context.Context, r *Run) error {
			left, err := r.Admin.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{})
			if err == nil && len(left.Items) > 0 {
				err = fmt.Errorf("the Job has ended and has pod %s", left.Items[0].Name)
			}
			return errors.Join(err, r.wantOneJob(ctx))
		},
	}}
}

// heldByNode returns an error unless the Job is stopped for good, and only the dead node
// keeps it from its end.
func (r *Run) heldByNode(ctx context.Context) error {
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	if !jobs.Stopped(job) || jobs.StatusOf(job).Terminal {
		return fmt.Errorf("the Job must be stopped and have no condition: parallelism %d, status %s", *job.Spec.Parallelism, jobs.StatusOf(job))
	}
	return nil
}

// nodeReturns restarts the node, and follows the pods until the one of the step is gone.
// It returns an error if another pod is created or a container starts.
func (r *Run) nodeReturns(ctx context.Context) error {
	changes, err := r.Admin.CoreV1().Pods(r.Namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer changes.Stop()
	began := map[types.UID]map[string]metav1.Time{r.Pod.Pod.UID: startsOf(r.Pod.Pod)}
	if err := r.cluster.RestartNode(ctx); err != nil {
		return fmt.Errorf("restart the node: %w", err)
	}
	for change := range changes.ResultChan() {
		pod, ok := change.Object.(*corev1.Pod)
		if !ok {
			return fmt.Errorf("watch of the pods: %v", change.Object)
		}
		for name, at := range startsOf(pod) {
			if before := began[pod.UID][name]; !at.Equal(&before) {
				return fmt.Errorf("container %q of pod %s has started at %s: %s", name, pod.Name, at, describe(pod))
			}
		}
		switch {
		case pod.UID != r.Pod.Pod.UID:
			return fmt.Errorf("pod %s was created for a Job that is stopped", pod.Name)
		case change.Type == apiwatch.Deleted:
			return nil
		}
	}
	return fmt.Errorf("the watch has ended before the pod was gone: %w", context.Cause(ctx))
}

// startsOf returns when the running containers of a pod have started.
func startsOf(pod *corev1.Pod) map[string]metav1.Time {
	began := map[string]metav1.Time{}
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Running != nil {
			began[s.Name] = s.State.Running.StartedAt
		}
	}
	return began
}
