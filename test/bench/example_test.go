package bench_test

import (
	"fmt"

	"github.com/kontinue/kontinue/test/bench"
)

// The styles of a run. A program that calls Run must call Worker first, because Run
// starts the program again as its worker processes.
func Example() {
	if bench.Worker() {
		return
	}
	for _, style := range bench.AllStyles {
		fmt.Println(style)
	}
	// Output:
	// floor
	// poll
	// watch-per-wait
	// status-watcher
	// handler-per-wait
	// informer
	// informer-record
	// kontinue
	// kontinue-progress
	// kontinue-handles
}
