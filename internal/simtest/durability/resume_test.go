package durability_test

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
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// pipelineSteps are the steps of the pipeline with the number of their pods.
var pipelineSteps = map[string]int{"step-1": 1, "lint": 1, "test": 1, "matrix": 3, "step-2": 1}

// playPipeline makes each step of the pipeline pending for a while and then
// running for a while.
func playPipeline(w *simtest.World) {
	pending, run := 2*time.Second, 3*time.Second
	w.Cluster.On(containers.Match{}, containers.Script{Unschedulable: pending, Run: run})
	w.Cluster.On(containers.Match{Step: "test"}, containers.Script{
		Unschedulable: pending, Run: run, Exit: containers.Exit{Code: 3},
		Log: []containers.LogLine{{Text: "two of 40 tests failed"}},
	})
	w.Cluster.On(containers.Match{Step: "matrix", Index: new(1)}, containers.Script{Run: run, Exit: containers.Exit{Code: 7}})
}

// pipeline is a worker's function: an unnamed step, three named ones at the same
// time, and another unnamed one. It returns the digest of each.
func pipeline(ktx *kontinue.ExecutionContext) map[string]string {
	var mu sync.Mutex
	saw := map[string]string{}
	note := func(step, result string) {
		mu.Lock()
		defer mu.Unlock()
		saw[step] = result
	}
	note("step-1", digest(kontinue.RunScript(ktx, simtest.Script("", "make"))))
	if ktx.Context().Err() != nil {
		return saw
	}
	var wg sync.WaitGroup
	wg.Go(func() { note("lint", digest(kontinue.RunScript(ktx, simtest.Script("lint", "make lint")))) })
	wg.Go(func() { note("test", digest(kontinue.RunScript(ktx, simtest.Script("test", "make test")))) })
	wg.Go(func() { note("matrix", digestJob(kontinue.RunJob(ktx, matrix()))) })
	wg.Wait()
	if ktx.Context().Err() != nil {
		return saw
	}
	note("step-2", digest(kontinue.RunScript(ktx, simtest.Script("", "make deploy"))))
	return saw
}

// matrix returns an Indexed Job of three pods, one of which fails.
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

// undisturbed runs the pipeline in a worker that is not killed. It returns what
// the pipeline saw, how long it took, and how many requests it made.
func undisturbed(t *testing.T) (saw map[string]string, took time.Duration, requests int) {
	t.Helper()
	simtest.Run(t, func(w *simtest.World) {
		playPipeline(w)
		p := w.Worker()
		began := time.Now()
		saw = pipeline(p.ExecutionContext())
		took, requests = time.Since(began), p.Requests("")
		w.RequireRanOnce(pipelineSteps)
		require.Len(t, saw, len(pipelineSteps))
		require.Contains(t, saw["step-1"], "succeeded=true")
		require.Contains(t, saw["test"], "exit=3 reason=Error log=\"two of 40 tests failed")
		require.Contains(t, saw["matrix"], "succeeded=false (2, 1 failed)")
		// A create and a patch for each step, and no other request.
		require.Equal(t, len(pipelineSteps), p.Requests("create"))
		require.Equal(t, len(pipelineSteps), p.Requests("patch"))
		require.Equal(t, 2*len(pipelineSteps), requests)
	})
	return saw, took, requests
}

// resumePipeline runs the pipeline in another worker.
func resumePipeline(w *simtest.World) map[string]string {
	w.Helper()
	w.Execution.Resumptions++
	return pipeline(w.Worker().ExecutionContext())
}

// TestKilledAtEachRequest kills a worker before and after each of its requests. The
// worker that resumes must find the Jobs of the dead one.
func TestKilledAtEachRequest(t *testing.T) {
	t.Parallel()
	want, _, requests := undisturbed(t)
	for n := 1; n <= requests; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("request %d, before=%t", n, before), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					playPipeline(w)
					first := w.Worker()
					first.KillAt(n, before)
					pipeline(first.ExecutionContext())
					require.Error(t, first.Ctx.Err(), "the worker lived")
					require.Equal(t, want, resumePipeline(w))
					w.RequireRanOnce(pipelineSteps)
				})
			})
		}
	}
}

// TestKilledAtAnyTime kills a worker every half second of the pipeline's time. The
// next one begins at once, or when all Jobs of the first have ended.
func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	want, took, _ := undisturbed(t)
	for _, pause := range []time.Duration{0, 10 * time.Minute} {
		for at := time.Duration(0); at < took; at += simtest.Stride * 500 * time.Millisecond {
			t.Run(fmt.Sprintf("killed after %s, resumed %s later", at, pause), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					playPipeline(w)
					first := w.Worker()
					time.AfterFunc(at, first.Kill)
					saw := pipeline(first.ExecutionContext())
					if first.Ctx.Err() == nil {
						// The Job controller syncs in batches of a second, by which a run may be shorter.
						require.Equal(t, want, saw)
						require.Greater(t, at, took-2*time.Second, "the worker lived")
					}
					w.Sleep(pause)
					require.Equal(t, want, resumePipeline(w))
					w.RequireRanOnce(pipelineSteps)
				})
			})
		}
	}
}

// TestKilledAgainAndAgain kills one worker after another until one completes.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	want, _, _ := undisturbed(t)
	for seed := range uint64(20 / simtest.Stride) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				playPipeline(w)
				rnd := rand.New(rand.NewPCG(seed, 1))
				saw := map[string]string{}
				for kills := 0; ; kills++ {
					require.Less(t, kills, 100, "the pipeline does not come to an end")
					p := w.Worker()
					w.Execution.Resumptions = kills
					if rnd.IntN(2) == 0 {
						p.KillAt(1+rnd.IntN(4), rnd.IntN(2) == 0)
					} else {
						time.AfterFunc(time.Duration(rnd.Int64N(int64(4*time.Second))), p.Kill)
					}
					results := pipeline(p.ExecutionContext())
					if p.Ctx.Err() == nil {
						maps.Copy(saw, results)
						break
					}
				}
				require.Equal(t, want, saw)
				w.RequireRanOnce(pipelineSteps)
			})
		})
	}
}

// TestTwoWorkersResumeAtOnce lets two workers, and a third one whose watches are
// stalled, run the same Execution at the same time.
func TestTwoWorkersResumeAtOnce(t *testing.T) {
	t.Parallel()
	want, took, _ := undisturbed(t)
	for at := time.Duration(0); at < took; at += simtest.Stride * time.Second {
		t.Run(fmt.Sprintf("after %s", at), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				playPipeline(w)
				first := w.Worker()
				time.AfterFunc(at, first.Kill)
				pipeline(first.ExecutionContext())
				workers := []*simtest.Worker{w.Worker(), w.Worker(), w.Worker()}
				require.Equal(t, 2, w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: workers[2].User}))
				saw := make([]map[string]string, len(workers))
				for i, p := range workers {
					go func() { saw[i] = pipeline(p.ExecutionContext()) }()
				}
				w.Sleep(2 * took)
				w.Cluster.APIServer().ResumeWatches(apiserver.WatchMatch{User: workers[2].User})
				w.Sleep(2 * took)
				synctest.Wait()
				for i := range workers {
					require.Equal(t, want, saw[i], "worker %d", i)
				}
				w.RequireRanOnce(pipelineSteps)
			})
		})
	}
}
