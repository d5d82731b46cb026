package kontinue_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/kontinue/kontinue"
)

// The cluster stops a step that takes too long, even while no worker is running.
func ExampleStepOptions_timeout() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "slow", Timeout: time.Second},
		Image:       "alpine:3",
		Command:     "sleep 60",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Is(result.Err(), kontinue.ErrDeadlineExceeded))
	// Output: true
}
