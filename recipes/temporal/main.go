// Temporal runs a step in an activity with heartbeats.
//
//	go run .
//
// The cluster is in memory, and Temporal is the test environment of its SDK, without a
// server. The step fails once, and Temporal tries it again.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	temporallog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := demo(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// demo runs the workflow once.
func demo(ctx context.Context) (err error) {
	cluster, err := devcluster.Start(ctx, devcluster.Options{})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	a, err := newActivities(ctx, cluster.RESTConfig())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.client.Stop(ctx)) }()
	dir, err := os.MkdirTemp("", "kontinue-temporal-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	command := fmt.Sprintf(`sleep 1; mkdir %s && { echo "out of luck" >&2; exit 3; }; echo model-42 > $TERMINATION_MESSAGE_PATH`, filepath.Join(dir, "tried"))

	env := newEnvironment(a)
	env.ExecuteWorkflow(train, command)
	if err := env.GetWorkflowError(); err != nil {
		return err
	}
	var model string
	if err := env.GetWorkflowResult(&model); err != nil {
		return err
	}
	fmt.Println("the workflow returned", model)
	return nil
}

// newEnvironment returns an environment that runs the workflow and the activities.
func newEnvironment(a *activities) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(temporallog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	env := suite.NewTestWorkflowEnvironment().SetTestTimeout(time.Minute)
	env.RegisterWorkflow(train)
	env.RegisterActivity(a)
	return env
}

// newActivities returns the activities with a client that is started.
func newActivities(ctx context.Context, config *rest.Config) (*activities, error) {
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: "default", Group: "temporal", Observer: &kontinue.Observer{
		StepEnded: func(_ context.Context, e kontinue.StepEnd) {
			fmt.Printf("step %s, attempt %d: %s %v\n", e.Step, e.Attempt, e.State, e.Err)
		},
	}})
	if err != nil {
		return nil, err
	}
	return &activities{client: client, clientset: clientset, namespace: "default"}, client.Start(ctx)
}
