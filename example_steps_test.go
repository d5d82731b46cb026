package kontinue_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue"
)

// A command shows what became of an Execution's steps. Its client is not started, and need
// not be in the process that runs them.
func ExampleClient_Steps() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background()
	execution := kontinue.Execution{Owner: owner}
	runSteps(config, execution, map[string]string{"build": "true", "deploy": "exit 3"}, "build", "deploy")

	client, err := kontinue.New(config)
	must(err)
	defer func() { must(client.Stop(ctx)) }()
	steps, err := client.Steps(ctx, execution)
	must(err)
	for _, s := range steps {
		fmt.Printf("%s run %d: %s %s %s, %d pod\n", s.Name, s.Run, s.State, s.Class, s.Message, len(s.Pods))
	}
	// Output:
	// build run 0: Succeeded  , 1 pod
	// deploy run 0: Failed User container "script" failed: exit code 3, 1 pod
}

// runSteps is a worker that runs scripts one after the other.
func runSteps(config kontinue.Config, execution kontinue.Execution, scripts map[string]string, names ...string) {
	ctx := context.Background()
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(ctx))
	defer func() { must(client.Stop(ctx)) }()
	ktx, err := client.NewExecutionContext(ctx, execution)
	must(err)
	for _, name := range names {
		_, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: name}, Image: "alpine:3", Command: scripts[name],
		})
		must(err)
	}
}
