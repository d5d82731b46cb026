package kontinue_test

import (
	"fmt"
	"os"

	"github.com/kontinue/kontinue"
)

// Logs gets the log of a step while it runs. The report on the result says whether all of
// it was written.
func ExampleLogReport() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "migrate", Logs: os.Stdout},
		Image:       "alpine:3",
		Command:     "for i in 1 2 3; do echo migration $i; sleep 0.1; done",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("complete:", result.LogReport.Complete, "lines:", result.LogReport.Lines)
	// Output:
	// migration 1
	// migration 2
	// migration 3
	// complete: true lines: 3
}
