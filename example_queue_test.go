package kontinue_test

import (
	"fmt"

	"github.com/kontinue/kontinue"
)

// A step waits in a queue of Kueue until there is room for its Job.
func ExampleStepOptions_queue() {
	ktx, stop := startExecution()
	defer stop()

	step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "train", Queue: "gpu"},
		Image:       "alpine:3",
		Command:     "./train",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(step.Progress().State)
	// Output: Suspended
}
