package kontinue_test

import (
	"context"
	"fmt"

	"go.uber.org/fx"

	"github.com/kontinue/kontinue"
)

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
		fx.Populate(&client), // most applications take it as a constructor's argument
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
