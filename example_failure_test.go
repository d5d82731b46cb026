package kontinue_test

import (
	"errors"
	"fmt"

	"github.com/kontinue/kontinue"
)

// The class of a failure says whether to run the step again is of use, and the advice is a
// line for whoever reads the log.
func ExampleExitError() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		Image:   "alpine:3",
		Command: "migrat up",
	})
	if err != nil {
		fmt.Println(err) // there is no result
		return
	}
	var failure *kontinue.ExitError
	if !errors.As(result.Err(), &failure) {
		return
	}
	switch failure.Class {
	case kontinue.ClassInfrastructure, kontinue.ClassCapacity:
		fmt.Println("run it again")
	case kontinue.ClassUser, kontinue.ClassConfig:
		fmt.Println(failure.Class, failure.ExitCode, failure.Advice)
	case kontinue.ClassTimeout, kontinue.ClassCanceled:
		fmt.Println("give up")
	}
	fmt.Println("image:", errors.Is(failure, kontinue.ErrImagePull), "evicted:", errors.Is(failure, kontinue.ErrEvicted))
	// Output:
	// User 127 A command of the script does not exist (127) or is not executable (126): check its spelling and what the image has.
	// image: false evicted: false
}
