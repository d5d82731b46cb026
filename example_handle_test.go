package kontinue_test

import (
	"context"
	"fmt"
	"os"

	"github.com/kontinue/kontinue"
)

// A step that is started and waited for later, as an exec.Cmd is.
func ExampleStartScript() {
	ktx, stop := startExecution()
	defer stop()

	step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "build"},
		Image:       "alpine:3",
		Command:     "echo built",
	})
	if err != nil {
		fmt.Println(err) // no Job was created, or it is not known whether one was
		return
	}
	fmt.Println("started:", step.Name())
	result, err := step.Wait(ktx.Context())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("succeeded:", result.Succeeded())
	// Output:
	// started: build
	// succeeded: true
}

// Several steps at once, without a goroutine of the program.
func ExampleStep() {
	ktx, stop := startExecution()
	defer stop()

	var steps []*kontinue.Step[*kontinue.PodResult]
	for _, name := range []string{"lint", "unit", "docs"} {
		step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: name},
			Image:       "alpine:3",
			Command:     "test " + name + " != unit",
		})
		must(err)
		steps = append(steps, step)
	}
	for _, step := range steps {
		result, err := step.Wait(ktx.Context())
		must(err)
		fmt.Println(step.Name(), result.Succeeded())
	}
	// Output:
	// lint true
	// unit false
	// docs true
}

// Logs writes the lines of a step as they come, as often as it is called.
func ExampleStep_Logs() {
	ktx, stop := startExecution()
	defer stop()

	step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "migrate"},
		Image:       "alpine:3",
		Command:     "for i in 1 2 3; do echo migration $i; sleep 0.1; done",
	})
	must(err)
	must(step.Logs(ktx.Context(), os.Stdout, nil)) // returns when all is written
	result, err := step.Wait(ktx.Context())
	must(err)
	fmt.Println("succeeded:", result.Succeeded())
	// Output:
	// migration 1
	// migration 2
	// migration 3
	// succeeded: true
}

// A reconciler must not block. It keeps the handle of a step that is on its way, and the
// observer puts the Execution into its queue again when the step has ended.
func ExampleStep_Done() {
	config, owner, stop := startCluster()
	defer stop()
	ctx := context.Background() // of the program: a step outlives the call that starts it
	queue := make(chan string, 10)
	config.Observer = &kontinue.Observer{
		StepEnded: func(_ context.Context, s kontinue.StepEnd) { queue <- s.Owner.Name },
	}
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(ctx))
	defer func() { must(client.Stop(ctx)) }()

	open := map[string]*kontinue.Step[*kontinue.PodResult]{}
	reconcile := func(name string) (done bool, err error) {
		step := open[name]
		if step == nil {
			// Whether an earlier process has started it is not known: Resumptions is 1.
			ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner, Resumptions: 1})
			if err != nil {
				return false, err
			}
			step, err = kontinue.StartScript(ktx, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: "deploy"},
				Image:       "alpine:3",
				Command:     "sleep 1",
			})
			if err != nil {
				return false, err
			}
			open[name] = step
		}
		select {
		case <-step.Done():
			delete(open, name) // the next call would adopt the Job, and get the same result
			result, err := step.Wait(ctx)
			if err != nil {
				return false, err
			}
			return true, result.Err()
		default: // step.Progress is for the status of the object
			return false, nil
		}
	}
	queue <- owner.Name
	for range 2 {
		fmt.Println(reconcile(<-queue))
	}
	// Output:
	// false <nil>
	// true <nil>
}
