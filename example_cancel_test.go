package kontinue_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kontinue/kontinue"
)

// Cancel stops an Execution's Jobs from any process; here, as soon as one is
// running.
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
