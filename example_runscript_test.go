package kontinue_test

import (
	"fmt"

	"github.com/kontinue/kontinue"
)

// The command is passed to the shell unchanged; Shell selects another shell.
func ExampleRunScript() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "greet"},
		Image:       "alpine:3",
		Shell:       []string{"/bin/sh", "-euc"},
		Command:     `for name in a b; do echo "hello $name"; done`,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	logs, err := result.Logs(ktx, nil)
	fmt.Print(logs)
	fmt.Println(result.Phase, err)
	// Output:
	// hello a
	// hello b
	// Succeeded <nil>
}
