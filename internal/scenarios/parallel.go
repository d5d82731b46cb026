package scenarios

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// parallel returns scenarios with several pods or restarts.
func parallel() []*Scenario {
	return []*Scenario{
		{
			Name: "late-success", Shows: "the third pod succeeds after two have failed, with backoffLimit 2",
			Job: jobOf(`[ "$READY" = yes ]`, func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(2))
				readyEnv(s)
			}),
			Play: playReady(exitOne),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.pods(ctx, 2, func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodFailed }); err != nil {
					return err
				}
				return r.ready(ctx)
			},
			Want: Want{
				Complete: true, SucceededPods: 1, FailedPods: 2, Pods: []WantPod{failed, failed, succeeded},
				Message: []string{`container "main" failed: exit code 1`},
			},
		},
		{
			Name: "backoff-limit", Shows: "all pods fail, with backoffLimit 1",
			Job:  jobOf("exit 2", func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(1)) }),
			Play: play(containers.Script{Exit: containers.Exit{Code: 2}}),
			Want: Want{
				FailedPods: 2, Pods: pods(2, failed), Message: []string{"BackoffLimitExceeded", "exit code 2"},
				Exit: &WantExit{Container: "main", Code: 2, Reason: "Error"},
			},
		},
		{
			Name: "parallel", Shows: "three completions, three at a time",
			Job:  jobOf("sleep 1", func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = new(int32(3)), new(int32(3)) }),
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 3, Pods: pods(3, succeeded)},
		},
		{
			Name: "indexed", Shows: "index 1 of an Indexed Job fails, with backoffLimitPerIndex 0",
			Job: jobOf(`[ "$JOB_COMPLETION_INDEX" != 1 ] || exit 7`, func(s *batchv1.JobSpec) {
				s.CompletionMode = new(batchv1.IndexedCompletion)
				s.Completions, s.Parallelism, s.BackoffLimit = new(int32(3)), new(int32(3)), nil
				s.BackoffLimitPerIndex = new(int32(0))
			}),
			Want: Want{
				SucceededPods: 2, FailedPods: 1, Pods: []WantPod{succeeded, succeeded, failed}, Message: []string{"FailedIndexes", "exit code 7"},
				Exit: &WantExit{Container: "main", Code: 7, Reason: "Error"},
			},
		},
		{
			Name: "suspended", Shows: "the Job is created suspended and resumed by hand",
			Job: jobOf("true", func(s *batchv1.JobSpec) { s.Suspend = new(true) }),
			During: func(ctx context.Context, r *Run) error {
				if err := firstError(r.reportedState(ctx, kontinue.StepSuspended), r.suspended(ctx)); err != nil {
					return err
				}
				list, err := r.Admin.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{})
				if err == nil && len(list.Items) > 0 {
					err = fmt.Errorf("the suspended Job has %d pods", len(list.Items))
				}
				return firstError(err, r.patchJob(ctx, `{"spec":{"suspend":false}}`))
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: pods(1, succeeded)},
		},
		{
			Name: "suspended-while-running", Shows: "a running Job is suspended, which deletes its pod, and then resumed",
			Job: jobOf(`[ "$READY" = yes ] || { `+hang+`; }`, func(s *batchv1.JobSpec) {
				readyEnv(s)
			}),
			Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.runningPod(ctx); err != nil {
					return err
				}
				if err := r.patchJob(ctx, `{"spec":{"suspend":true}}`); err != nil {
					return err
				}
				if err := firstError(r.reportedState(ctx, kontinue.StepSuspended), r.suspended(ctx)); err != nil {
					return err
				}
				if err := r.ready(ctx); err != nil {
					return err
				}
				return r.patchJob(ctx, `{"spec":{"suspend":false}}`)
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: []WantPod{failed, succeeded}},
		},
		{
			Name: "container-restarts", Shows: "the kubelet restarts a failed container, with restartPolicy OnFailure",
			Job: jobOf(`[ "$READY" = yes ]`, func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(3))
				s.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
				readyEnv(s)
			}),
			Play: playReady(exitOne),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.pods(ctx, 1, func(p *corev1.Pod) bool {
					return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].RestartCount > 0
				}); err != nil {
					return err
				}
				return r.ready(ctx)
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: pods(1, succeeded)},
		},
		{
			Name: "restarts-exceed-limit", Shows: "a container keeps failing, with restartPolicy OnFailure and backoffLimit 1",
			Job: jobOf("exit 9", func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(1))
				s.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
			}),
			Play: play(containers.Script{Exit: containers.Exit{Code: 9}}),
			Want: Want{
				FailedPods: 1, Pods: pods(1, failed), Message: []string{"BackoffLimitExceeded", "exit code 9"},
				Exit: &WantExit{Container: "main", Code: 9, Reason: "Error"},
			},
		},
	}
}
