package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

// durability returns scenarios in which the function runs again or has ended.
func durability() []*Scenario {
	return []*Scenario{
		{
			Name: "resume-without-pods", Shows: "the pods are deleted after the step, and a resume returns the same result without logs",
			Pod:  podOf("echo 'out of luck'; exit 3"),
			Want: podFails(WantExit{Container: "main", Code: 3, Reason: "Error"}, "exit code 3: out of luck"),
			After: func(ctx context.Context, r *Run) error {
				if err := r.deletePods(ctx); err != nil {
					return err
				}
				_, err := r.Pod.Logs(r.Context, nil)
				if !errors.Is(err, kontinue.ErrLogsGone) {
					return fmt.Errorf("reading the logs of a deleted pod: want ErrLogsGone, got %w", err)
				}
				return r.wantSummary("out of luck")
			},
		},
		{
			Name: "retry-failed", Shows: "a retry of the Execution with RetryFailed runs a failed step again",
			Pod:  podOf("exit 3"),
			Want: podFails(WantExit{Container: "main", Code: 3, Reason: "Error"}, "exit code 3"),
			After: func(ctx context.Context, r *Run) error {
				return r.retry(ctx, kontinue.ChildPolicyRetryFailed, 2)
			},
		},
		{
			Name: "retry-all", Shows: "a retry of the Execution with RetryAll runs a succeeded step again",
			Pod: podOf("true"), Want: podSucceeds(),
			After: func(ctx context.Context, r *Run) error {
				return r.retry(ctx, kontinue.ChildPolicyRetryAll, 2)
			},
		},
		{
			Name: "retry-none", Shows: "a retry of the Execution with None returns the result of the failed step",
			Pod:  podOf("exit 3"),
			Want: podFails(WantExit{Container: "main", Code: 3, Reason: "Error"}, "exit code 3"),
			After: func(ctx context.Context, r *Run) error {
				return r.retry(ctx, kontinue.ChildPolicyNone, 1)
			},
		},
		{
			Name: "finish", Shows: "the Execution is finished, and the Job is deleted after its TTL",
			Pod: podOf("true"), Want: podSucceeds(),
			After: func(ctx context.Context, r *Run) error {
				if err := r.resume(ctx); err != nil {
					return err
				}
				execution := r.Context.Execution()
				execution.TTL = &metav1.Duration{Duration: time.Second}
				if err := r.Client.Finish(ctx, execution); err != nil {
					return err
				}
				err := eventually(ctx, func(ctx context.Context) (bool, error) {
					list, err := r.jobs(ctx)
					return err == nil && len(list) == 0, err
				})
				r.noResume = true
				return err
			},
		},
		{
			Name: "wait-ended", Shows: "the worker's context is canceled during the wait; the Job keeps running, and a resume returns its result",
			Pod:       podOf("sleep 2; exit 8"),
			Want:      podFails(WantExit{Container: "main", Code: 8, Reason: "Error"}, "exit code 8"),
			Interrupt: true,
		},
	}
}

// deletePods deletes the pods of the step and waits until they are gone.
func (r *Run) deletePods(ctx context.Context) error {
	err := r.Admin.CoreV1().Pods(r.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.Admin.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 0, err
	})
}

// retry runs the step in the next attempt of the Execution and checks the number of
// Jobs.
func (r *Run) retry(ctx context.Context, policy kontinue.ChildPolicy, jobs int) error {
	r.noResume = jobs > 1
	execution := r.Context.Execution()
	execution.Attempts, execution.ChildPolicy = 1, policy
	ktx, err := r.Client.NewExecutionContext(ctx, execution)
	if err != nil {
		return err
	}
	_, pod, err := r.call(ktx)
	if err != nil {
		return err
	}
	if resumed := jobs == 1; pod.Resumed() != resumed {
		return fmt.Errorf("Resumed() is %t, want %t", pod.Resumed(), resumed)
	}
	list, err := r.jobs(ctx)
	if err != nil {
		return err
	}
	if len(list) != jobs {
		return fmt.Errorf("there are %d Jobs, want %d", len(list), jobs)
	}
	return nil
}
