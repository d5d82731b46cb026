package scale_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// executions is how many Executions the steps belong to.
const executions = 100

// TestThousandsOfStepsShareTwoWatches runs all steps at once in one process. Every
// result must be its own step's, two watches must serve all of them, each step must
// cost two requests, and no goroutine may be left afterwards.
func TestThousandsOfStepsShareTwoWatches(t *testing.T) {
	before := runtime.NumGoroutine()
	cluster := fakecluster.New(fakecluster.Options{APIServer: apiserver.Options{User: "worker"}})
	require.NoError(t, cluster.Start(t.Context()))
	defer cluster.Stop()
	for code := range 10 { // a step's name ends in the exit code of its script
		suffix := fmt.Sprintf("-%d", code)
		cluster.On(containers.Match{Where: func(c containers.Spec) bool {
			return strings.HasSuffix(c.Pod.Labels[containers.StepLabel], suffix)
		}}, containers.Script{Exit: containers.Exit{Code: int32(code)}})
	}
	client, err := kontinue.New(kontinue.Config{RESTConfig: cluster.Config(), Namespace: "ns", SkipPreflight: true})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))

	began := time.Now()
	var wg sync.WaitGroup
	wrong := make(chan string, steps)
	for e := range executions {
		owner, err := cluster.CreateOwner(t.Context(), "ns", fmt.Sprintf("execution-%d", e))
		require.NoError(t, err)
		ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner})
		require.NoError(t, err)
		for i := range steps / executions {
			wg.Go(func() {
				if problem := runStep(ktx, i); problem != "" {
					wrong <- problem
				}
			})
		}
	}
	wg.Wait()
	took := time.Since(began)
	require.Empty(t, wrong, "of %d steps; the first: %s", steps, first(wrong))

	stats := cluster.APIServer().Stats()
	require.Equal(t, 1, stats.Count("worker", "watch", "jobs"))
	require.Equal(t, 1, stats.Count("worker", "watch", "pods"))
	require.Equal(t, steps, stats.Count("worker", "create", "jobs"))
	require.Equal(t, steps, stats.Count("worker", "patch", "jobs"))
	// On a busy machine a step reads its pods once if the watch of pods lags more than a
	// second behind that of Jobs, and its Job if the watch takes ten seconds to show it.
	pods, jobs := stats.Count("worker", "list", "pods")-1, stats.Count("worker", "get", "jobs")
	require.LessOrEqual(t, pods, steps)
	require.LessOrEqual(t, jobs, steps)
	reads := pods + jobs
	require.Equal(t, 2*steps+4+reads, stats.Count("worker", "", ""), "requests beyond a create and a patch for each step and a list and a watch for each resource")

	require.NoError(t, client.Stop(context.Background()))
	cluster.Stop()
	// A goroutine may exist for a moment after it has reported that it is done.
	for deadline := time.After(10 * time.Second); runtime.NumGoroutine() > before; {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			require.LessOrEqual(t, runtime.NumGoroutine(), before)
		}
	}
	t.Logf("%d steps in %s: 0 wrong, 2 watches, 2 writes and %.4f reads a step, %d goroutines before and %d after",
		steps, took.Round(time.Millisecond), float64(reads)/steps, before, runtime.NumGoroutine())
}

// runStep runs one step and returns what is wrong with its result, or "".
func runStep(ktx *kontinue.ExecutionContext, i int) string {
	name := fmt.Sprintf("step-number-%d-%d", i, i%10)
	r, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: name}, Image: "alpine:3", Command: "exit $CODE",
	})
	switch {
	case err != nil:
		return err.Error()
	case r.Pod.Labels[containers.StepLabel] != name:
		return fmt.Sprintf("step %s got the pod of step %s", name, r.Pod.Labels[containers.StepLabel])
	case r.Succeeded() != (i%10 == 0):
		return fmt.Sprintf("step %s: Succeeded() = %v", name, r.Succeeded())
	}
	if code := r.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode; code != int32(i%10) {
		return fmt.Sprintf("step %s has exit code %d", name, code)
	}
	return ""
}

// first returns a string from the channel, or "" if it is empty.
func first(c <-chan string) string {
	select {
	case s := <-c:
		return s
	default:
		return ""
	}
}
