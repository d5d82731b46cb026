package kontinue_test

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
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// scaleExecutions share the steps that run at once. See scaleSteps.
const scaleExecutions = 100

// TestThousandsOfStepsShareTwoWatches runs 10,000 RunScript steps at once in one
// process (2,000 under the race detector, which allows no more than 8,128
// goroutines): every result must be its own step's, two watches must serve them
// all, each step must cost two requests, and nothing may be left afterwards.
func TestThousandsOfStepsShareTwoWatches(t *testing.T) {
	before := runtime.NumGoroutine()
	cluster := fakecluster.New(fakecluster.Options{APIServer: apiserver.Options{User: "worker"}})
	require.NoError(t, cluster.Start(t.Context()))
	defer cluster.Stop()
	for code := range 10 { // a step's name ends in the exit code of its script
		suffix := fmt.Sprintf("-%d", code)
		cluster.On(kubelet.Match{Where: func(c kubelet.ContainerSpec) bool {
			return strings.HasSuffix(c.Pod.Labels[kubelet.StepLabel], suffix)
		}}, kubelet.Script{Exit: kubelet.Exit{Code: int32(code)}})
	}
	client, err := kontinue.New(kontinue.Config{Clientset: cluster.Clientset(), Namespace: "ns"})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))

	began := time.Now()
	var wg sync.WaitGroup
	wrong := make(chan string, scaleSteps)
	for e := range scaleExecutions {
		owner, err := cluster.CreateOwner(t.Context(), "ns", fmt.Sprintf("execution-%d", e))
		require.NoError(t, err)
		ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner})
		require.NoError(t, err)
		for i := range scaleSteps / scaleExecutions {
			wg.Go(func() {
				if problem := scaleStep(ktx, i); problem != "" {
					wrong <- problem
				}
			})
		}
	}
	wg.Wait()
	took := time.Since(began)
	require.Empty(t, wrong, "of %d steps; the first: %s", scaleSteps, first(wrong))

	stats := cluster.APIServer().Stats()
	require.Equal(t, 1, stats.Count("worker", "watch", "jobs"))
	require.Equal(t, 1, stats.Count("worker", "watch", "pods"))
	require.Equal(t, scaleSteps, stats.Count("worker", "create", "jobs"))
	require.Equal(t, scaleSteps, stats.Count("worker", "patch", "jobs"))
	// Where the watch of pods lags behind that of jobs for over a second, as on a
	// busy machine, a step reads its pods once.
	reads := stats.Count("worker", "list", "pods") - 1
	require.LessOrEqual(t, reads, scaleSteps)
	require.Equal(t, 2*scaleSteps+4+reads, stats.Count("worker", "", ""), "requests beyond a create and a patch for each step and a list and a watch for each resource")

	require.NoError(t, client.Stop(context.Background()))
	cluster.Stop()
	// A goroutine that has told that it is done may be there for a moment yet.
	for deadline := time.After(10 * time.Second); runtime.NumGoroutine() > before; {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			require.LessOrEqual(t, runtime.NumGoroutine(), before)
		}
	}
	t.Logf("%d steps in %s: 0 wrong, 2 watches, 2 writes and %.4f reads a step, %d goroutines before and %d after",
		scaleSteps, took.Round(time.Millisecond), float64(reads)/scaleSteps, before, runtime.NumGoroutine())
}

// scaleStep runs one step and tells what is wrong with its result.
func scaleStep(ktx *kontinue.ExecutionContext, i int) string {
	name := fmt.Sprintf("step-number-%d-%d", i, i%10)
	r, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: name}, Image: "alpine:3", Command: "exit $CODE",
	})
	switch {
	case err != nil:
		return err.Error()
	case r.Pod.Labels[kubelet.StepLabel] != name:
		return fmt.Sprintf("step %s got the pod of step %s", name, r.Pod.Labels[kubelet.StepLabel])
	case r.Succeeded() != (i%10 == 0):
		return fmt.Sprintf("step %s: Succeeded() = %v", name, r.Succeeded())
	}
	if code := r.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode; code != int32(i%10) {
		return fmt.Sprintf("step %s has exit code %d", name, code)
	}
	return ""
}

func first(c <-chan string) string {
	select {
	case s := <-c:
		return s
	default:
		return ""
	}
}
