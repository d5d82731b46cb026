package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporallog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runID is the ID of a workflow's run in the test environment.
const runID = "default-test-run-id"

// setup returns a cluster whose containers follow the plays, and activities.
func setup(t *testing.T, plays ...*kontinuetest.Play) (*kontinuetest.Cluster, *activities) {
	t.Helper()
	cluster := kontinuetest.New(t)
	cluster.Play(plays...)
	return cluster, process(cluster)
}

// process returns the activities of the present process.
func process(cluster *kontinuetest.Cluster) *activities {
	return &activities{client: cluster.Client(), clientset: cluster.Clientset(), namespace: kontinuetest.Namespace}
}

// owner is the Execution of the workflow.
func owner(cluster *kontinuetest.Cluster) kontinue.Execution {
	return cluster.NewExecution("run-" + runID)
}

// fitAfter executes the activity that fits, after an attempt with that heartbeat, on a worker
// whose activities have the context.
func fitAfter(ctx context.Context, a *activities, last *beat) <-chan error {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(temporallog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	env := suite.NewTestActivityEnvironment().SetTestTimeout(time.Minute).SetExecuteActivitiesInWorkflow(true)
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	env.RegisterActivity(a)
	if last != nil {
		env.SetHeartbeatDetails(*last)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := env.ExecuteActivity(a.Run, script{Step: "fit", Image: "busybox", Command: "fit"})
		ended <- err
	}()
	return ended
}

// fitUntil is a step that takes until the channel is closed.
func fitUntil(closed <-chan struct{}) *kontinuetest.Play {
	return kontinuetest.Job("fit").Do(func(ctx context.Context, _ map[string]string, _ io.Writer) int32 {
		select {
		case <-closed:
			return 0
		case <-ctx.Done():
			return 1
		}
	})
}

// TestRetriedActivityResumes: an attempt whose worker has died or stopped is followed by one
// that returns to its Job.
func TestRetriedActivityResumes(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(cluster *kontinuetest.Cluster, stop context.CancelCauseFunc){
		"worker crashed": func(cluster *kontinuetest.Cluster, _ context.CancelCauseFunc) { cluster.Crash() },
		"worker stopped": func(_ *kontinuetest.Cluster, stop context.CancelCauseFunc) {
			stop(errors.New("the worker is stopping"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			cluster, a := setup(t, fitUntil(gone))
			ctx, stop := context.WithCancelCause(cluster.Context())
			first := fitAfter(ctx, a, nil)
			cluster.Running("fit")
			end(cluster, stop)
			require.Error(t, <-first)
			close(gone) // the Job ends while no activity waits for it
			require.NoError(t, <-fitAfter(cluster.Context(), process(cluster), &beat{State: kontinue.StepRunning}))
			cluster.RequireJobs(owner(cluster), "fit")
		})
	}
}

// TestFailureIsAnAttempt: Temporal tries again, and the step that has failed has another Job.
func TestFailureIsAnAttempt(t *testing.T) {
	t.Parallel()
	cluster, a := setup(t, kontinuetest.Job("fit").Attempt(0).Exit(3), kontinuetest.Job("fit").Attempt(1).Message("model-42"))
	env := newEnvironment(a)
	env.ExecuteWorkflow(train, "fit")
	require.NoError(t, env.GetWorkflowError())
	var model string
	require.NoError(t, env.GetWorkflowResult(&model))
	require.Equal(t, "model-42", model)
	cluster.RequireJobs(owner(cluster), "prepare", "fit", "fit")
	require.Equal(t, new(int32(3600)), cluster.Job(owner(cluster), "fit").Spec.TTLSecondsAfterFinished)
}

// TestClassIsTheErrorType: the retry policy of the workflow decides by the class of a failure.
func TestClassIsTheErrorType(t *testing.T) {
	t.Parallel()
	cluster, a := setup(t, kontinuetest.Job("prepare").PullError("InvalidImageName", "could not parse", time.Hour))
	env := newEnvironment(a)
	env.ExecuteWorkflow(train, "fit")
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, string(kontinue.ClassConfig), failure.Type())
	cluster.RequireJobs(owner(cluster), "prepare")
}

// TestCancel: the cancellation of the activity stops the Job.
func TestCancel(t *testing.T) {
	t.Parallel()
	cluster, a := setup(t, kontinuetest.Job("fit").Hang())
	ctx, cancel := context.WithCancelCause(cluster.Context())
	ended := fitAfter(ctx, a, nil)
	cluster.Running("fit")
	cancel(temporal.NewCanceledError()) // as the SDK does when the answer to a heartbeat says so
	require.True(t, temporal.IsCanceledError(<-ended))
	cluster.Eventually(func() bool {
		conditions := cluster.Job(owner(cluster), "fit").Status.Conditions
		return len(conditions) > 0 && conditions[len(conditions)-1].Type == batchv1.JobFailed
	}, time.Minute, "the Job was not stopped")
}
