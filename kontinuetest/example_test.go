package kontinuetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// deploy is a worker function under test.
func deploy(ktx *kontinue.ExecutionContext) error {
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "helm"},
		Image:       "alpine/helm:3.14",
		Command:     "helm upgrade --install app ./chart",
	})
	if err != nil {
		return err
	}
	if !result.Succeeded() {
		summary, err := result.LogErrorSummary(ktx)
		if err != nil {
			return err
		}
		return fmt.Errorf("deploy: %s", summary)
	}
	return nil
}

// example takes the place of a test's *testing.T.
type example struct {
	testing.TB
	ctx     context.Context
	cancel  context.CancelFunc
	cleanup []func()
}

func (e *example) Helper()                           {}
func (e *example) Context() context.Context          { return e.ctx }
func (e *example) Cleanup(f func())                  { e.cleanup = append(e.cleanup, f) }
func (e *example) Errorf(format string, args ...any) { fmt.Printf(format, args...) }
func (e *example) Failed() bool                      { return false }
func (e *example) FailNow()                          { panic("failed") }

func (e *example) end() {
	e.cancel()
	for _, f := range slices.Backward(e.cleanup) {
		f()
	}
}

func Example() {
	t := &example{}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	defer t.end()

	cluster := kontinuetest.New(t)
	cluster.Play(kontinuetest.Job("helm").Log("Release \"app\" does not exist.", "Error: no such chart").Exit(1))
	fmt.Println(deploy(cluster.Run(cluster.NewExecution("release-42"))))
	// Output: deploy: Error: no such chart
}

// A worker is killed while the function waits for a step. The next run of the function
// finds the step's Job.
func Example_restart() {
	t := &example{}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	defer t.end()

	cluster := kontinuetest.New(t)
	deployed := make(chan struct{})
	cluster.Play(kontinuetest.Job("helm").Do(func(context.Context, map[string]string, io.Writer) int32 {
		<-deployed
		return 0
	}))
	execution := cluster.NewExecution("release-42")

	returned := make(chan error)
	ktx := cluster.Run(execution)
	go func() { returned <- deploy(ktx) }()
	cluster.Running("helm")
	cluster.Crash()
	fmt.Println("crashed:", errors.Is(<-returned, kontinuetest.ErrCrashed))

	close(deployed)
	execution.Resumptions++
	fmt.Println("resumed:", deploy(cluster.Run(execution)))
	cluster.RequireJobs(execution, "helm")
	// Output:
	// crashed: true
	// resumed: <nil>
}
