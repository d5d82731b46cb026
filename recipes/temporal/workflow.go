package main

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/kontinue/kontinue"
)

// train is the workflow. Each of its runs is an Execution.
func train(ctx workflow.Context, command string) (model string, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 48 * time.Hour,   // more than the step's Timeout
		HeartbeatTimeout:    30 * time.Second, // then the worker is dead
		WaitForCancellation: true,             // until the Job is stopped
		RetryPolicy: &temporal.RetryPolicy{
			MaximumAttempts:        10, // those that ended with their worker count, too
			NonRetryableErrorTypes: []string{string(kontinue.ClassConfig), string(kontinue.ClassCanceled)},
		},
	})
	defer func() { // the end of each activity is saved, and the Jobs may go, also if ctx is canceled
		ctx, _ := workflow.NewDisconnectedContext(ctx)
		finished := workflow.ExecuteActivity(ctx, (*activities).Finish).Get(ctx, nil)
		err = cmp.Or(err, finished) // not errors.Join, which hides the type of the error
	}()
	prepare := script{Step: "prepare", Image: "busybox", Command: "sleep 1; echo prepared"}
	if err := workflow.ExecuteActivity(ctx, (*activities).Run, prepare).Get(ctx, nil); err != nil {
		return "", err
	}
	fit := script{Step: "fit", Image: "busybox", Command: command}
	err = workflow.ExecuteActivity(ctx, (*activities).Run, fit).Get(ctx, &model)
	return model, err
}
