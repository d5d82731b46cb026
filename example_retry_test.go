package kontinue_test

import (
	"fmt"
	"time"

	"github.com/kontinue/kontinue"
)

// A step that fails runs again in the same attempt, as a new Job.
func ExampleStepOptions_retry() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "flaky", Retry: kontinue.Retry{
			Limit: 1, Infrastructure: 5, Backoff: time.Second,
		}},
		Image:   "alpine:3",
		Command: "exit 1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Succeeded(), "runs:", result.Runs())
	// Output: false runs: 2
}
