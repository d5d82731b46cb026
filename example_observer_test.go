package kontinue_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue"
)

// Every step that began ends exactly once, so that a counter of the ends by state and class
// is complete. The calls do not overlap, and Stop waits for them.
func ExampleObserver() {
	config, owner, stop := startCluster()
	defer stop()
	ended := map[string]int{}
	config.Observer = &kontinue.Observer{
		StepEnded: func(_ context.Context, s kontinue.StepEnd) {
			if s.State == "" {
				ended["no result"]++
				return
			}
			ended[fmt.Sprintf("%s %s", s.State, s.Class)]++
		},
	}
	runSteps(config, kontinue.Execution{Owner: owner}, map[string]string{
		"build": "true", "test": "exit 3", "publish": "true",
	}, "build", "test", "publish")

	fmt.Println("succeeded:", ended["Succeeded "])
	fmt.Println("failed because of the user's program:", ended["Failed User"])
	fmt.Println("no result:", ended["no result"])
	// Output:
	// succeeded: 2
	// failed because of the user's program: 1
	// no result: 0
}

// MaxRunning bounds the Jobs that run at a time. A call that would create a further one
// waits until there is room.
func ExampleConfig_maxRunning() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background()
	waited := 0
	config.MaxRunning = 2
	config.Observer = &kontinue.Observer{
		StepQueued: func(context.Context, kontinue.StepInfo) { waited++ },
	}
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(ctx))
	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner})
	must(err)

	for i := range 3 {
		_, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: fmt.Sprintf("shard-%d", i)},
			Image:       "alpine:3",
			Command:     "sleep 1",
		})
		must(err)
	}
	must(client.Stop(ctx))
	fmt.Println("steps that waited for room:", waited)
	// Output: steps that waited for room: 1
}
