package kontinue_test

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

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
		fmt.Println(err) // the step has no result
		return
	}
	fmt.Println("succeeded:", result.Succeeded())

	// The Execution has ended: the cluster deletes its Jobs in an hour.
	fmt.Println("finish:", client.Finish(ctx, execution))
	// Output:
	// succeeded: true
	// finish: <nil>
}
