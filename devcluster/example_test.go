package devcluster_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

// A program tries a step on a cluster of its own.
func Example() {
	ctx := context.Background()
	cluster, err := devcluster.Start(ctx, devcluster.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Stop()

	client, err := kontinue.New(kontinue.Config{RESTConfig: cluster.RESTConfig(), Namespace: "default"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Stop(ctx) }()

	execution, err := cluster.NewExecution(ctx, "default", "release-42")
	if err != nil {
		fmt.Println(err)
		return
	}
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "busybox", Command: "echo hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	logs, err := result.Logs(ktx, nil)
	fmt.Printf("%q %v\n", logs, err)
	// Output: "hello\n" <nil>
}
