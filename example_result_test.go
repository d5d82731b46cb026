package kontinue_test

import (
	"errors"
	"fmt"

	"github.com/kontinue/kontinue"
)

// A failed workload is a result. Err turns it into an error, for functions that
// just want to return one.
func ExamplePodResult_Err() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		Image:   "alpine:3",
		Command: "echo connecting; echo 'no route to host' >&2; exit 3",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var failure *kontinue.ExitError
	if errors.As(result.Err(), &failure) {
		fmt.Println(failure.Container, failure.ExitCode, failure.Reason)
	}
	summary, err := result.LogErrorSummary(ktx)
	fmt.Println(summary, err)
	// Output:
	// script 3 Error
	// no route to host <nil>
}
