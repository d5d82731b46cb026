package kontinue_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// pipelineSteps are the steps of the pipeline, with the pods that each makes.
var pipelineSteps = map[string]int{"step-1": 1, "lint": 1, "test": 1, "matrix": 3, "step-2": 1}

// playPipeline gives each step of the pipeline a time in which it is pending
// and one in which it runs.
func (w *world) playPipeline() {
	pending, run := 2*time.Second, 3*time.Second
	w.cluster.On(kubelet.Match{}, kubelet.Script{Unschedulable: pending, Run: run})
	w.cluster.On(kubelet.Match{Step: "test"}, kubelet.Script{
		Unschedulable: pending, Run: run, Exit: kubelet.Exit{Code: 3},
		Log: []kubelet.LogLine{{Text: "two of 40 tests failed"}},
	})
	w.cluster.On(kubelet.Match{Step: "matrix", Index: new(1)}, kubelet.Script{Run: run, Exit: kubelet.Exit{Code: 7}})
}

// pipeline is a worker's function: an unnamed step, three named ones at the same
// time, and another unnamed one. It gives what it saw of each.
func pipeline(ktx *kontinue.ExecutionContext) map[string]string {
	var mu sync.Mutex
	saw := map[string]string{}
	note := func(step, result string) {
		mu.Lock()
		defer mu.Unlock()
		saw[step] = result
	}
	note("step-1", digest(kontinue.RunScript(ktx, script("", "make"))))
	if ktx.Context().Err() != nil {
		return saw
	}
	var wg sync.WaitGroup
	wg.Go(func() { note("lint", digest(kontinue.RunScript(ktx, script("lint", "make lint")))) })
	wg.Go(func() { note("test", digest(kontinue.RunScript(ktx, script("test", "make test")))) })
	wg.Go(func() { note("matrix", digestJob(kontinue.RunJob(ktx, matrix()))) })
	wg.Wait()
	if ktx.Context().Err() != nil {
		return saw
	}
	note("step-2", digest(kontinue.RunScript(ktx, script("", "make deploy"))))
	return saw
}

// matrix is an Indexed Job of three pods, of which one fails.
func matrix() *kontinue.JobOptions {
	indexed := batchv1.IndexedCompletion
	return &kontinue.JobOptions{
		StepOptions: kontinue.StepOptions{Name: "matrix"},
		Spec: batchv1.JobSpec{
			Completions: new(int32(3)), Parallelism: new(int32(3)), CompletionMode: &indexed,
			BackoffLimitPerIndex: new(int32(0)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}},
			}},
		},
	}
}

// undisturbed is what the pipeline sees in a worker that lives, how long that
// takes, and how many requests.
func undisturbed(t *testing.T) (saw map[string]string, took time.Duration, requests int) {
	t.Helper()
	inWorld(t, func(w *world) {
		w.playPipeline()
		p := w.worker()
		began := time.Now()
		saw = pipeline(p.context())
		took, requests = time.Since(began), p.requests("")
		w.ranOnce(pipelineSteps)
		require.Len(t, saw, len(pipelineSteps))
		require.Contains(t, saw["step-1"], "succeeded=true")
		require.Contains(t, saw["test"], "exit=3 reason=Error log=\"two of 40 tests failed")
		require.Contains(t, saw["matrix"], "succeeded=false (2, 1 failed)")
		// A create and a patch for each step, and nothing else.
		require.Equal(t, len(pipelineSteps), p.requests("create"))
		require.Equal(t, len(pipelineSteps), p.requests("patch"))
		require.Equal(t, 2*len(pipelineSteps), requests)
	})
	return saw, took, requests
}

// resumed runs the pipeline in further workers until one lives to its end.
func (w *world) resumed() map[string]string {
	w.Helper()
	w.execution.Resumptions++
	return pipeline(w.worker().context())
}

// TestKilledAtEachRequest kills a worker around each request that it makes: a
// worker that goes on must find what the dead one left.
func TestKilledAtEachRequest(t *testing.T) {
	t.Parallel()
	want, _, requests := undisturbed(t)
	for n := 1; n <= requests; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("request %d, before=%t", n, before), func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					w.playPipeline()
					first := w.worker()
					first.killAt(n, before)
					pipeline(first.context())
					require.Error(t, first.ctx.Err(), "the worker lived")
					require.Equal(t, want, w.resumed())
					w.ranOnce(pipelineSteps)
				})
			})
		}
	}
}

// TestKilledAtAnyTime kills a worker at points all over the pipeline's time, and
// lets the next one begin at once or when all Jobs of the first have ended.
func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	want, took, _ := undisturbed(t)
	for _, pause := range []time.Duration{0, 10 * time.Minute} {
		for at := time.Duration(0); at < took; at += 500 * time.Millisecond {
			t.Run(fmt.Sprintf("killed after %s, resumed %s later", at, pause), func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					w.playPipeline()
					first := w.worker()
					time.AfterFunc(at, first.kill)
					pipeline(first.context())
					require.Error(t, first.ctx.Err(), "the worker lived")
					after(w.Context(), pause)
					require.Equal(t, want, w.resumed())
					w.ranOnce(pipelineSteps)
				})
			})
		}
	}
}

// TestKilledAgainAndAgain lets no worker live for long.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	want, _, _ := undisturbed(t)
	for seed := range uint64(20) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.playPipeline()
				rnd := rand.New(rand.NewPCG(seed, 1))
				saw := map[string]string{}
				for kills := 0; ; kills++ {
					require.Less(t, kills, 100, "the pipeline does not come to an end")
					p := w.worker()
					w.execution.Resumptions = kills
					if rnd.IntN(2) == 0 {
						p.killAt(1+rnd.IntN(4), rnd.IntN(2) == 0)
					} else {
						time.AfterFunc(time.Duration(rnd.Int64N(int64(4*time.Second))), p.kill)
					}
					results := pipeline(p.context())
					if p.ctx.Err() == nil {
						maps.Copy(saw, results)
						break
					}
				}
				require.Equal(t, want, saw)
				w.ranOnce(pipelineSteps)
			})
		})
	}
}

// TestTwoWorkersResumeAtOnce lets two workers, and an old one that is cut off
// from the watch, run the same Execution at the same time.
func TestTwoWorkersResumeAtOnce(t *testing.T) {
	t.Parallel()
	want, took, _ := undisturbed(t)
	for at := time.Duration(0); at < took; at += time.Second {
		t.Run(fmt.Sprintf("after %s", at), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.playPipeline()
				first := w.worker()
				time.AfterFunc(at, first.kill)
				pipeline(first.context())
				workers := []*worker{w.worker(), w.worker(), w.worker()}
				require.Equal(t, 2, w.cluster.APIServer().StallWatches(apiserver.WatchMatch{User: workers[2].user}))
				saw := make([]map[string]string, len(workers))
				for i, p := range workers {
					go func() { saw[i] = pipeline(p.context()) }()
				}
				after(w.Context(), 2*took)
				w.cluster.APIServer().ResumeWatches(apiserver.WatchMatch{User: workers[2].user})
				after(w.Context(), 2*took)
				synctest.Wait()
				for i := range workers {
					require.Equal(t, want, saw[i], "worker %d", i)
				}
				w.ranOnce(pipelineSteps)
			})
		})
	}
}
