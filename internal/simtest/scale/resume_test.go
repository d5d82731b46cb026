package scale_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestThousandsOfStepsResume restarts a worker whose steps have all ended, except
// for another tenth that are still running. Those that have ended must return their
// recorded results by one LIST for all, and each that is still running must cost no
// request but the patch that records it.
func TestThousandsOfStepsResume(t *testing.T) {
	const finished, running, pageSize = steps, steps / 10, 500
	simtest.Run(t, func(w *simtest.World) {
		release := make(chan struct{})
		for code := range 10 { // a step's name ends in the exit code of its script
			suffix := fmt.Sprintf("-%d", code)
			is := func(prefix string) containers.Match {
				return containers.Match{Where: func(c containers.Spec) bool {
					step := c.Pod.Labels[containers.StepLabel]
					return strings.HasPrefix(step, prefix) && strings.HasSuffix(step, suffix)
				}}
			}
			w.Cluster.On(is("ends"), containers.Script{Exit: containers.Exit{Code: int32(code)}})
			w.Cluster.On(is("runs"), containers.Script{Do: func(ctx context.Context, _ containers.Spec) containers.Exit {
				select {
				case <-release:
				case <-ctx.Done():
				}
				return containers.Exit{Code: int32(code)}
			}})
		}
		// run calls all steps at once. The wait groups are those of the steps that end at
		// once and of those that run until release.
		run := func(p *simtest.Worker) (ended, under *sync.WaitGroup, results *sync.Map) {
			ended, under, results = &sync.WaitGroup{}, &sync.WaitGroup{}, &sync.Map{}
			ktx := p.ExecutionContext()
			step := func(kind string, i int) {
				name := fmt.Sprintf("%s-%d-%d", kind, i, i%10)
				r, err := kontinue.RunScript(ktx, simtest.Script(name, "exit $CODE"))
				if err != nil {
					results.Store(name, err.Error())
				} else {
					results.Store(name, simtest.ExitCode(r))
				}
			}
			for i := range finished {
				ended.Go(func() { step("ends", i) })
			}
			for i := range running {
				under.Go(func() { step("runs", i) })
			}
			return ended, under, results
		}
		right := func(results *sync.Map) (n int) {
			results.Range(func(name, result any) bool {
				step, _ := name.(string)
				if strings.HasSuffix(step, fmt.Sprintf("-%v", result)) {
					n++
				}
				return true
			})
			return n
		}

		first := w.Worker()
		ended, under, results := run(first)
		ended.Wait()
		require.Equal(t, finished, right(results))
		first.Kill()
		under.Wait()

		second := w.Worker()
		ended, under, results = run(second)
		ended.Wait()
		synctest.Wait()
		require.Equal(t, finished, right(results), "those that had ended, and none that runs")
		pages := func(n int) int { return (n + pageSize - 1) / pageSize }
		require.Equal(t, pages(running)+pages(finished+running), second.Lists, "pages of the living Jobs and of all Pods")
		require.Equal(t, pages(finished+running), second.Requests(""), "one LIST of the Execution beyond the start")
		close(release)
		under.Wait()
		require.Equal(t, finished+running, right(results))
		require.Equal(t, running, second.Requests("patch"))
		require.Equal(t, running+pages(finished+running), second.Requests(""))
		require.Len(t, w.Jobs(), finished+running)
		require.Len(t, w.Pods(), finished+running)
	})
}
