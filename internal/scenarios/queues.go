package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// noQuota is the message of a queue without room.
const noQuota = "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default, 1 more needed"

// queues returns scenarios in which a queue holds Jobs, or has them run elsewhere.
func queues() []*Scenario {
	queued := func(o *kontinue.PodOptions) *kontinue.PodOptions {
		o.Queue = queueName
		return o
	}
	evicted := jobOf(`[ "$READY" = yes ] || { `+hang+`; }`, readyEnv)
	evicted.Queue = queueName
	elsewhere := func() *kontinue.JobOptions {
		o := jobOf("true", func(s *batchv1.JobSpec) { s.ManagedBy = new(multiKueue) })
		o.Queue = queueName
		return o
	}
	return []*Scenario{
		{
			Name: "queue-admits", Shows: "a queue admits the Job after a while, and chooses its nodes",
			Needs: []Capability{Queues}, Pod: queued(podOf("true")), Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				_, err := r.queued(ctx)
				return firstError(err, r.reportedState(ctx, kontinue.StepSuspended), r.suspended(ctx), r.admit(ctx))
			},
			Want: reporting(podSucceeds(), "JobSuspended"),
		},
		{
			Name: "queue-explains", Shows: "a queue says why it holds the Job, and admits it later",
			Needs: []Capability{Queues}, Pod: queued(podOf("true")), Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				err := r.workload(ctx, metav1.Condition{Type: "QuotaReserved", Status: metav1.ConditionFalse, Reason: "Pending", Message: noQuota})
				return firstError(err, r.reportedReason(ctx, noQuota), r.admit(ctx))
			},
			Want: reporting(podSucceeds(), "Pending", noQuota),
		},
		{
			Name: "queue-evicts", Shows: "a queue evicts the running Job, which deletes its pod, and admits it again",
			Needs: []Capability{Queues}, Job: evicted, Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				_, err := r.queued(ctx)
				if err = firstError(err, r.admit(ctx)); err != nil {
					return err
				}
				_, err = r.runningPod(ctx)
				return firstError(err, r.evict(ctx), r.suspended(ctx), r.ready(ctx), r.admit(ctx))
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: []WantPod{failed, succeeded}, Reported: []string{"JobSuspended"}},
		},
		{
			Name: "queue-canceled", Shows: "the step is canceled while the queue holds its Job, which must not start",
			Needs: []Capability{Queues}, Pod: queued(podOf("true")), Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.queued(ctx); err != nil {
					return err
				}
				canceled := make(chan error, 1)
				go func() { canceled <- r.Client.Cancel(ctx, r.Context.Execution()) }()
				return errors.Join(r.hold(ctx), <-canceled)
			},
			Want: Want{
				Pods: []WantPod{failed}, Message: []string{"Canceled: "},
				Exit: &WantExit{Reason: "JobSuspended", Is: kontinue.ErrCanceled},
			},
			After: func(ctx context.Context, r *Run) error {
				list, err := r.Admin.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{})
				if err == nil && len(list.Items) > 0 {
					err = fmt.Errorf("%d pods were started", len(list.Items))
				}
				return err
			},
		},
		{
			Name: "managed-completes", Shows: "another controller runs the Job in another cluster, where it completes",
			Needs: []Capability{Queues, ManagedBy}, Job: elsewhere(), Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				return firstError(r.admit(ctx), r.runElsewhere(ctx, false,
					batchv1.JobCondition{Type: batchv1.JobSuccessCriteriaMet, Reason: "CompletionsReached", Message: "Reached expected number of succeeded pods"},
					batchv1.JobCondition{Type: batchv1.JobComplete, Reason: "CompletionsReached", Message: "Reached expected number of succeeded pods"}))
			},
			Want:  Want{Succeeded: true, Complete: true, SucceededPods: 1},
			After: noLogs,
		},
		{
			Name: "managed-fails", Shows: "another controller runs the Job in another cluster, where it fails",
			Needs: []Capability{Queues, ManagedBy}, Job: elsewhere(), Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				return firstError(r.admit(ctx), r.runElsewhere(ctx, true,
					batchv1.JobCondition{Type: batchv1.JobFailureTarget, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"},
					batchv1.JobCondition{Type: batchv1.JobFailed, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"}))
			},
			Want: Want{
				FailedPods: 1, Message: []string{"BackoffLimitExceeded", "managed by " + multiKueue},
				Exit: &WantExit{Reason: "BackoffLimitExceeded"},
			},
			After: noLogs,
		},
	}
}

// reporting adds what must be reported to OnProgress.
func reporting(w Want, texts ...string) Want {
	w.Reported = append(w.Reported, texts...)
	return w
}

// noLogs requires that the logs of a Job that was run elsewhere are an error that says so,
// in this worker and in one that resumes the step.
func noLogs(ctx context.Context, r *Run) error {
	options := *r.Scenario.Job
	options.Spec = *options.Spec.DeepCopy()
	options.Spec.Template.Spec.Containers[0].Image = r.cluster.Image()
	return r.inWorker(ctx, func(client *kontinue.Client) error {
		for _, c := range []*kontinue.Client{r.Client, client} {
			ktx, err := c.NewExecutionContext(ctx, r.Context.Execution())
			if err != nil {
				return err
			}
			step, err := kontinue.StartJob(ktx, &options)
			if err != nil {
				return err
			}
			logsCtx, cancel := context.WithTimeout(ctx, time.Minute)
			err = step.Logs(logsCtx, new(bytes.Buffer), nil)
			cancel()
			if !errors.Is(err, kontinue.ErrNoPods) {
				return fmt.Errorf("Logs of a Job that was run elsewhere: %w", err)
			}
			if err := contains("the error", err.Error(), []string{multiKueue, "another cluster"}); len(err) > 0 {
				return err[0]
			}
		}
		return nil
	})
}
