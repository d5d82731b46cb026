package playground_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/examples/internal/playground"
)

func Example() {
	ctx := context.Background()
	cluster, err := playground.New(playground.Options{}) // in memory
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Stop()
	if err := cluster.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	owner, remove, err := cluster.CreateOwner(ctx, "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := kontinue.New(cluster.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Stop(ctx) }()

	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "busybox", Command: "true"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Succeeded(), cluster.Requests().Count("create", "jobs"), remove())
	// Output: true 1 <nil>
}
