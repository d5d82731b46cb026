package otelkontinue_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/otelkontinue"
)

// A worker with metrics and traces. Here they go nowhere, since the program has set no global
// providers: docs/observability.md has an exporter.
func Example() {
	ctx := context.Background()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Containers: devcluster.Scripts})
	must(err)
	defer cluster.Stop()
	execution, err := cluster.NewExecution(ctx, "default", "release-42")
	must(err)

	telemetry, err := otelkontinue.New(otelkontinue.WithAttributes(attribute.String("group", "default")))
	must(err)
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: cluster.RESTConfig(), Namespace: "default", Observer: telemetry.Observer(nil),
	})
	must(err)
	must(client.Start(ctx))
	registration, err := telemetry.Register(client)
	must(err)

	ctx, end := telemetry.StartExecution(ctx, "deploy", execution)
	ktx, err := client.NewExecutionContext(ctx, execution)
	must(err)
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "alpine:3", Command: "./deploy"})
	if err == nil {
		err = result.Err()
	}
	end(err)
	fmt.Println("succeeded:", err == nil)

	must(client.Stop(ctx))
	must(registration.Unregister())
	// Output: succeeded: true
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
