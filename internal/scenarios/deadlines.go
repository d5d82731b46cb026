package scenarios

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// deadlines returns scenarios in which a deadline stops a running container.
func deadlines() []*Scenario {
	late := WantExit{Container: "main", Code: 143, Signal: 15, Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded}
	return []*Scenario{
		{
			Name: "timeout", Shows: "StepOptions.Timeout stops a running container",
			Pod: within(podOf(hang), 10*time.Second), Play: playHang("main"),
			Want: podFails(late, "DeadlineExceeded: Job was active longer than specified deadline", "SIGTERM"),
		},
		{
			Name: "timeout-exit-0", Shows: "a container exits with code 0 when it gets the timeout's SIGTERM",
			Pod: within(podOf("trap 'exit 0' TERM; sleep 1000 & wait"), stuckFor),
			During: func(ctx context.Context, r *Run) error {
				return firstError(r.reportedState(ctx, kontinue.StepRunning), r.deadlineNow(ctx))
			},
			Want: Want{Pods: []WantPod{{Phase: anyEnd}}, Message: []string{"DeadlineExceeded"}, Exit: &WantExit{Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded}},
		},
		{
			Name: "active-deadline", Shows: "the Job's activeDeadlineSeconds stops a running container",
			Job: jobOf(hang, func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(10)) }), Play: playHang("main"),
			Want: Want{FailedPods: 1, Pods: pods(1, failed), Exit: &late, Message: []string{"DeadlineExceeded"}},
		},
		{
			Name: "pod-deadline", Shows: "the pod's activeDeadlineSeconds makes the kubelet stop a running container",
			Pod: &kontinue.PodOptions{Spec: change(pod(container("main", hang)), func(s *corev1.PodSpec) { s.ActiveDeadlineSeconds = new(int64(2)) })}, Play: playHang("main"),
			Want: podFails(WantExit{Container: "main", Code: 143, Signal: 15, Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded}, "DeadlineExceeded"),
		},
		{
			Name: "cancel", Shows: "the Execution is canceled while a container is running",
			Pod: podOf(hang), Play: playHang("main"),
			During: func(ctx context.Context, r *Run) error {
				if err := r.reportedState(ctx, kontinue.StepRunning); err != nil {
					return err
				}
				// Cancel sets a deadline of one second after the Job's start.
				if err := pause(ctx, 2*time.Second); err != nil {
					return err
				}
				return r.Client.Cancel(ctx, r.Context.Execution())
			},
			Want: podFails(WantExit{Container: "main", Code: 143, Signal: 15, Reason: "DeadlineExceeded", Is: kontinue.ErrCanceled}, "Canceled"),
		},
	}
}
