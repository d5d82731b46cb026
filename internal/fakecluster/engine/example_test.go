package engine_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

func ExampleQueue() {
	q := engine.NewQueue[string]()
	q.Add("job-1")
	q.Add("job-2")
	q.Add("job-1") // waits already

	for range 2 {
		key, _ := q.Get(context.Background())
		fmt.Println(key)
		q.Done(key)
	}
	// Output:
	// job-1
	// job-2
}
