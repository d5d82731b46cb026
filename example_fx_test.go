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

// An application with two clients names them, for instance one for each cluster. The tags
// are those of fx.
func ExampleModuleNamed() {
	ci, owner, stop := startCluster()
	defer stop()
	nightly, _, stopNightly := startCluster()
	defer stopNightly()
	type clients struct {
		fx.In
		CI      *kontinue.Client `name:"ci"`
		Nightly *kontinue.Client `name:"nightly"`
	}
	ctx := context.Background()
	var found clients
	app := fx.New(
		fx.NopLogger,
		fx.Supply(fx.Annotate(ci, fx.ResultTags(`name:"ci"`)), fx.Annotate(nightly, fx.ResultTags(`name:"nightly"`))),
		kontinue.ModuleNamed("ci"),
		kontinue.ModuleNamed("nightly"),
		fx.Populate(&found),
	)
	must(app.Start(ctx))
	defer func() { must(app.Stop(ctx)) }()

	ktx, err := found.CI.NewExecutionContext(ctx, kontinue.Execution{Owner: owner})
	must(err)
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "alpine:3", Command: "true"})
	must(err)
	fmt.Println("succeeded:", result.Succeeded())
	fmt.Println("nightly:", found.Nightly.Healthy())
	// Output:
	// succeeded: true
	// nightly: <nil>
}
