package kontinue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kontinue/kontinue"
)

// Steps in goroutines that give up waiting for each other when one has failed, as those of
// an errgroup do: its context goes into WithContext.
func ExampleExecutionContext_WithContext() {
	ktx, stop := startExecution()
	defer stop()

	ctx, cancel := context.WithCancelCause(ktx.Context())
	defer cancel(nil)
	group := ktx.WithContext(ctx)
	var wg sync.WaitGroup
	for name, command := range map[string]string{"unit": "sleep 60", "lint": "exit 3"} {
		wg.Go(func() {
			result, err := kontinue.RunScript(group, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: name, OnContextDone: kontinue.Cancel},
				Image:       "alpine:3",
				Command:     command,
			})
			if err == nil {
				err = result.Err()
			}
			if err != nil {
				cancel(err) // the first one is the cause
			}
		})
	}
	wg.Wait()
	var failure *kontinue.ExitError
	fmt.Println(errors.As(context.Cause(ctx), &failure) && failure.ExitCode == 3)
	// Output: true
}

// The Job of a step is stopped when the context ends. By default it keeps running.
func ExampleContextDone() {
	ktx, stop := startExecution()
	defer stop()

	ctx, cancel := context.WithCancelCause(ktx.Context())
	step, err := kontinue.StartScript(ktx.WithContext(ctx), &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "test", OnContextDone: kontinue.Cancel},
		Image:       "alpine:3",
		Command:     "sleep 60",
	})
	must(err)
	newer := errors.New("there is a newer commit")
	cancel(newer)
	_, err = step.Wait(ktx.Context())
	fmt.Println(errors.Is(err, kontinue.ErrCanceled), errors.Is(err, newer))
	// Output: true true
}

// A step in a loop gets a name for each iteration, by which the same iteration finds its
// Job after a restart. So the number must not depend on time, on chance or on the order in
// which a map is read.
func ExampleStepOptions_loop() {
	ktx, stop := startExecution()
	defer stop()

	for i := range 10 {
		check, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: fmt.Sprintf("check-%d", i)},
			Image:       "alpine:3",
			Command:     fmt.Sprintf("test %d -eq 2", i),
		})
		must(err)
		fmt.Println("check", i, check.Succeeded())
		if check.Succeeded() {
			break
		}
	}
	// Output:
	// check 0 false
	// check 1 false
	// check 2 true
}
