package kontinue_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue"
)

// OnProgress reports each change of a step's state, which costs no request.
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
