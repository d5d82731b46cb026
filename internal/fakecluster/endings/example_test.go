package endings_test

import (
	"fmt"

	"github.com/kontinue/kontinue/internal/fakecluster/endings"
)

func Example() {
	record, err := endings.Read(endings.Real)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, state := range record["success"][4:] {
		fmt.Println(state.Line)
	}
	// Output:
	// pod Succeeded main=0 not ready: PodCompleted tracked
	// job uncounted-succeeded=1 SuccessCriteriaMet/CompletionsReached
	// pod Succeeded main=0 not ready: PodCompleted
	// job succeeded=1 SuccessCriteriaMet/CompletionsReached Complete/CompletionsReached
}
