package simtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// example stands in for the *testing.T that a test has.
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
func (e *example) FailNow()                          { panic("failed") }

func (e *example) end() {
	e.cancel()
	for _, f := range slices.Backward(e.cleanup) {
		f()
	}
}

// A worker is killed between the write of a step's result and the response. The next
// worker returns that result, and the step has run once.
func Example() {
	t := &example{}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	defer t.end()

	w := simtest.New(t) // a test calls simtest.Run, for virtual time
	w.Cluster.On(containers.Match{Step: "build"}, containers.Script{Exit: containers.Exit{Code: 3}})

	first := w.Worker()
	first.KillAt(2, false) // the first request creates the Job, the second records its result
	_, err := kontinue.RunScript(first.ExecutionContext(), simtest.Script("build", "make"))
	fmt.Println("first worker was killed:", errors.Is(err, simtest.ErrKilled))

	result, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("build", "make"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("second worker: exit code %d, resumed %t\n", simtest.ExitCode(result), result.Resumed())
	w.RequireRanOnce(map[string]int{"build": 1})
	// Output:
	// first worker was killed: true
	// second worker: exit code 3, resumed true
}
