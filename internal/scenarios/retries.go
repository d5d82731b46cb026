package scenarios

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/jobs"
)

// retries returns scenarios in which a step runs again in the same attempt, or its Job
// replaces the pod.
func retries() []*Scenario {
	ready := func(shell string, retry kontinue.Retry) *kontinue.PodOptions {
		o := podOf(`[ "$READY" = yes ] || { ` + shell + `; }`)
		readyPod(&o.Spec)
		o.Retry = retry
		return o
	}
	return []*Scenario{
		{
			Name: "step-retry-until-success", Shows: "two runs of the step fail, and the third one succeeds",
			Pod: ready("exit 1", kontinue.Retry{Limit: 5, Backoff: 3 * time.Second}), Play: playReady(exitOne),
			During: func(ctx context.Context, r *Run) error {
				if err := r.failedRuns(ctx, 2); err != nil {
					return err
				}
				return r.ready(ctx)
			},
			Want:  Want{Succeeded: true, Pods: pods(1, succeeded), Reported: []string{"BackOff"}},
			After: wantRuns(3),
		},
		{
			Name: "step-retry-limit", Shows: "the step fails until its limit of retries is reached",
			Pod:  ready("exit 1", kontinue.Retry{Limit: 1, Backoff: time.Second}),
			Want: podFails(WantExit{Container: "main", Code: 1, Reason: "Error"}, "exit code 1"), After: wantRuns(2),
		},
		{
			Name: "step-retry-evicted", Shows: "the pod is evicted, and another run of the step succeeds",
			Pod: ready(hang, kontinue.Retry{Infrastructure: 1, Backoff: time.Second}), Play: playReady(untilStopped),
			During: readyAndEvict,
			Want:   podSucceeds(), After: wantRuns(2),
		},
		{
			Name: "replace-disrupted", Shows: "the pod is evicted, and the Job replaces it without a worker",
			Pod: ready(hang, kontinue.Retry{ReplaceDisrupted: true}), Play: playReady(untilStopped),
			During: readyAndEvict,
			Want:   podSucceeds(), After: wantRuns(1),
		},
		{
			Name: "replace-disrupted-and-failure", Shows: "the Job does not replace a pod that fails by itself",
			Pod:  ready("exit 1", kontinue.Retry{ReplaceDisrupted: true}),
			Want: podFails(WantExit{Container: "main", Code: 1, Reason: "Error"}, "exit code 1"), After: wantRuns(1),
		},
	}
}

// readyAndEvict evicts the pod, the next one of which finds READY set.
func readyAndEvict(ctx context.Context, r *Run) error {
	if _, err := r.runningPod(ctx); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	return r.evictPod(ctx)
}

// failedRuns waits until so many Jobs have failed.
func (r *Run) failedRuns(ctx context.Context, n int) error {
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.jobs(ctx)
		failed := 0
		for i := range list {
			if jobs.StatusOf(&list[i]).Failed {
				failed++
			}
		}
		return failed >= n, err
	})
}

// wantRuns requires that the result says so many runs, and that there are as many Jobs.
func wantRuns(n int) func(ctx context.Context, r *Run) error {
	return func(ctx context.Context, r *Run) error {
		list, err := r.jobs(ctx)
		if err != nil {
			return err
		}
		if len(list) != n || r.Pod.Runs() != n {
			return fmt.Errorf("%d Jobs, and the result says %d runs, want %d: %v", len(list), r.Pod.Runs(), n, names(list))
		}
		return nil
	}
}

func names(list []batchv1.Job) (all []string) {
	for i := range list {
		all = append(all, list[i].Name)
	}
	return all
}
