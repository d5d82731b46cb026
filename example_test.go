package kontinue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/fx"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
)

// The examples run on a cluster in memory whose containers are local processes:
// the commands are real, the images are not.

// startCluster returns a configuration for that cluster, the object that owns
// the Jobs, and the function that ends it all. On a real cluster the
// configuration has a RESTConfig, and the owner is an object of the app's.
func startCluster() (config kontinue.Config, owner metav1.OwnerReference, stop func()) {
	cluster := fakecluster.New(fakecluster.Options{LocalProcesses: true})
	must(cluster.Start(context.Background()))
	owner, err := cluster.CreateOwner(context.Background(), "ci", "release-42")
	must(err)
	return kontinue.Config{Clientset: cluster.Clientset(), Namespace: "ci"}, owner, cluster.Stop
}

// startExecution returns what a worker function gets.
func startExecution() (ktx *kontinue.ExecutionContext, stop func()) {
	config, owner, stopCluster := startCluster()
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(context.Background()))
	ktx, err = client.NewExecutionContext(context.Background(), kontinue.Execution{Owner: owner})
	must(err)
	return ktx, func() {
		must(client.Stop(context.Background()))
		stopCluster()
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// A program makes a client, starts it, runs the functions of its Executions and
// stops it.
func Example() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background()

	client, err := kontinue.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Stop(ctx) }()

	execution := kontinue.Execution{Owner: owner, TTL: &metav1.Duration{Duration: time.Hour}}
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		Image:   "alpine:3",
		Command: "echo hello",
	})
	if err != nil {
		fmt.Println(err) // there is no answer
		return
	}
	fmt.Println("succeeded:", result.Succeeded())

	// The Execution has ended: an hour from now its Jobs go.
	fmt.Println("finish:", client.Finish(ctx, execution))
	// Output:
	// succeeded: true
	// finish: <nil>
}

// The command reaches the shell as it is; the shell can be another program.
func ExampleRunScript() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "greet"},
		Image:       "alpine:3",
		Shell:       []string{"/bin/sh", "-euc"},
		Command:     `for name in a b; do echo "hello $name"; done`,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	logs, err := result.Logs(ktx, nil)
	fmt.Print(logs)
	fmt.Println(result.Phase, err)
	// Output:
	// hello a
	// hello b
	// Succeeded <nil>
}

// A pod of several containers. Each of them has to exit with code 0.
func ExampleRunPod() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunPod(ktx, &kontinue.PodOptions{
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{
				Name: "fetch", Image: "alpine:3", Command: []string{"/bin/sh", "-c", "echo fetched"},
			}},
			Containers: []corev1.Container{{
				Name: "migrate", Image: "alpine:3", Command: []string{"/bin/sh", "-c", "echo 'no such table' >&2; exit 4"},
			}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Succeeded())
	fmt.Println(result.Message)
	// Output:
	// false
	// container "migrate" failed: exit code 4: no such table
}

// A Job with two indexed completions, run side by side.
func ExampleRunJob() {
	ktx, stop := startExecution()
	defer stop()

	shards, mode := int32(2), batchv1.IndexedCompletion
	result, err := kontinue.RunJob(ktx, &kontinue.JobOptions{
		StepOptions: kontinue.StepOptions{Name: "test", DisplayName: "Tests in two shards"},
		Spec: batchv1.JobSpec{
			Completions:    &shards,
			Parallelism:    &shards,
			CompletionMode: &mode,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "test", Image: "alpine:3", Command: []string{"/bin/sh", "-c", `test "$JOB_COMPLETION_INDEX" -lt 2`},
			}}}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Succeeded(), result.SucceededPods, result.FailedPods, len(result.Pods))
	// Output: true 2 0 2
}

// A failed workload is a result. Err makes an error of it, for functions that
// just want to return.
func ExamplePodResult_Err() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		Image:   "alpine:3",
		Command: "echo connecting; echo 'no route to host' >&2; exit 3",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var failure *kontinue.ExitError
	if errors.As(result.Err(), &failure) {
		fmt.Println(failure.Container, failure.ExitCode, failure.Reason)
	}
	summary, err := result.LogErrorSummary(ktx)
	fmt.Println(summary, err)
	// Output:
	// script 3 Error
	// no route to host <nil>
}

// The cluster ends a step that takes too long, also when no worker is alive.
func ExampleStepOptions_timeout() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "slow", Timeout: time.Second},
		Image:       "alpine:3",
		Command:     "sleep 60",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Is(result.Err(), kontinue.ErrDeadlineExceeded))
	// Output: true
}

// A function that runs again, after a crash or as a retry, finds its Jobs.
func ExampleExecution() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background()
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(ctx))
	defer func() { must(client.Stop(ctx)) }()

	// The second step fails on the first attempt.
	function := func(ktx *kontinue.ExecutionContext) {
		for _, step := range []string{"build", "publish"} {
			command := "true"
			if step == "publish" && ktx.Attempts() == 0 {
				command = "false"
			}
			result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: step},
				Image:       "alpine:3",
				Command:     command,
			})
			must(err)
			fmt.Printf("%s: succeeded %t, resumed %t\n", step, result.Succeeded(), result.Resumed())
		}
	}
	execution := kontinue.Execution{Owner: owner, ChildPolicy: kontinue.ChildPolicyRetryFailed}
	for _, run := range []struct {
		why                   string
		attempts, resumptions int
	}{
		{"first run", 0, 0},
		{"the worker was restarted", 0, 1},
		{"the Execution is retried", 1, 0},
	} {
		fmt.Println("--", run.why)
		execution.Attempts, execution.Resumptions = run.attempts, run.resumptions
		ktx, err := client.NewExecutionContext(ctx, execution)
		must(err)
		function(ktx)
	}
	// Output:
	// -- first run
	// build: succeeded true, resumed false
	// publish: succeeded false, resumed false
	// -- the worker was restarted
	// build: succeeded true, resumed true
	// publish: succeeded false, resumed true
	// -- the Execution is retried
	// build: succeeded true, resumed true
	// publish: succeeded true, resumed false
}

// Cancel stops an Execution's Jobs from anywhere; here, as soon as one runs.
func ExampleClient_Cancel() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background()
	running := make(chan struct{}, 10)
	config.OnProgress = func(p kontinue.Progress) {
		if p.State == kontinue.StepRunning {
			running <- struct{}{}
		}
	}
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(ctx))
	defer func() { must(client.Stop(ctx)) }()
	execution := kontinue.Execution{Owner: owner}
	ktx, err := client.NewExecutionContext(ctx, execution)
	must(err)

	canceled := make(chan error)
	go func() {
		<-running
		canceled <- client.Cancel(ctx, execution)
	}()
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "alpine:3", Command: "sleep 60"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-canceled, errors.Is(result.Err(), kontinue.ErrCanceled))
	// Output: <nil> true
}

// Each change of a step's state is told, at the cost of no request.
func ExampleProgress() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background()
	var last kontinue.StepState
	config.OnProgress = func(p kontinue.Progress) {
		if p.State != last {
			last = p.State
			fmt.Println(p.Step, p.State)
		}
	}
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(ctx))
	defer func() { must(client.Stop(ctx)) }()
	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner})
	must(err)

	_, err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "nap"},
		Image:       "alpine:3",
		Command:     "sleep 1",
	})
	must(err)
	// Output:
	// nap Pending
	// nap Running
	// nap Succeeded
}

// An fx application gets a client that starts and stops with it.
func Example_fx() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background()
	var client *kontinue.Client
	app := fx.New(
		fx.NopLogger,
		fx.Supply(config),
		kontinue.Module,
		fx.Populate(&client), // most take it as an argument of a constructor
	)
	must(app.Start(ctx))
	defer func() { must(app.Stop(ctx)) }()

	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner})
	must(err)
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "alpine:3", Command: "true"})
	must(err)
	fmt.Println("succeeded:", result.Succeeded())
	// Output: succeeded: true
}
