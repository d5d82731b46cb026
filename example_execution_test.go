package kontinue_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue"
)

// A function that runs again, after a crash or as a retry, adopts its Jobs.
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
