package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
)

// activities are those of a worker.
type activities struct {
	client    *kontinue.Client
	clientset kubernetes.Interface
	namespace string
}

// script is the argument of the activity Run.
type script struct {
	Step, Image, Command string
}

// beat is a heartbeat. The next attempt of the activity gets the last one.
type beat struct {
	// Failures counts the attempts in which the step failed. Temporal's count also has those
	// that ended with their worker, which a step must not take for retries.
	Failures int
	// State is for people.
	State kontinue.StepState
}

// Run runs a script as a step, and returns what it wrote to /dev/termination-log.
func (a *activities) Run(ctx context.Context, in script) (string, error) {
	var last beat
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &last); err != nil {
			return "", err
		}
	}
	execution, err := a.execution(ctx)
	if err != nil {
		return "", err
	}
	execution.Attempts = last.Failures
	execution.Resumptions = max(0, int(activity.GetInfo(ctx).Attempt)-1-last.Failures)
	ktx, err := a.client.NewExecutionContext(untilCanceled(ctx), execution)
	if err != nil {
		return "", err
	}
	step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{ //nolint:contextcheck // ktx carries the context
		StepOptions: kontinue.StepOptions{Name: in.Step, Timeout: 24 * time.Hour, OnContextDone: kontinue.Cancel},
		Image:       in.Image,
		Command:     in.Command,
	})
	if err != nil {
		return "", err
	}
	ticker := time.NewTicker(max(time.Second, activity.GetInfo(ctx).HeartbeatTimeout/3))
	defer ticker.Stop()
	for {
		activity.RecordHeartbeat(ctx, beat{last.Failures, step.Progress().State})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if temporal.IsCanceledError(context.Cause(ctx)) {
				<-step.Done() // the API server has accepted that, or has not within ten seconds
			}
			return "", ctx.Err()
		case <-step.Done():
			return end(ctx, step, last)
		}
	}
}

// end is what the activity returns for a step that has ended.
func end(ctx context.Context, step *kontinue.Step[*kontinue.PodResult], last beat) (string, error) {
	result, err := step.Wait(ctx)
	if err != nil {
		return "", cmp.Or(ctx.Err(), err) // there is no result: the next attempt resumes the step
	}
	err = result.Err()
	var failure *kontinue.ExitError
	if errors.As(err, &failure) {
		activity.RecordHeartbeat(ctx, beat{last.Failures + 1, kontinue.StepFailed})
		// The retry policy of the workflow decides by the class.
		return "", temporal.NewApplicationErrorWithCause(err.Error(), string(failure.Class), err)
	}
	return result.Output(""), err
}

// untilCanceled returns a context that ends when Temporal cancels the activity. That of the
// activity also ends with its worker, when its attempt has timed out, or when it is paused:
// then the Job is to keep running.
func untilCanceled(ctx context.Context) context.Context {
	canceled, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); temporal.IsCanceledError(cause) {
			cancel(cause)
		}
	})
	return canceled
}

// Finish gives the Jobs of the workflow their TTL.
func (a *activities) Finish(ctx context.Context) error {
	execution, err := a.execution(ctx)
	if err != nil {
		return err
	}
	return a.client.Finish(ctx, execution)
}

// execution returns the Execution of the workflow's run, whose object is a ConfigMap.
func (a *activities) execution(ctx context.Context) (kontinue.Execution, error) {
	maps := a.clientset.CoreV1().ConfigMaps(a.namespace)
	name := "run-" + activity.GetInfo(ctx).WorkflowExecution.RunID
	object, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		object, err = maps.Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return kontinue.Execution{}, fmt.Errorf("object of the workflow: %w", err)
	}
	return kontinue.Execution{
		Namespace:   a.namespace,
		Owner:       *metav1.NewControllerRef(object, corev1.SchemeGroupVersion.WithKind("ConfigMap")),
		ChildPolicy: kontinue.ChildPolicyRetryFailed,
		TTL:         &metav1.Duration{Duration: time.Hour},
	}, nil
}
