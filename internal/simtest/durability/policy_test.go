package durability_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// play counts the runs of a step and gives each its exit code; further runs get
// the last one.
type play struct {
	codes []int32
	takes time.Duration

	mu      sync.Mutex
	runs    int
	running int
	overlap bool
}

func newPlay(w *simtest.World, step string, takes time.Duration, codes ...int32) *play {
	p := &play{codes: codes, takes: takes}
	w.Cluster.On(containers.Match{Step: step}, containers.Script{Do: p.run})
	return p
}

// count returns how many runs have started.
func (p *play) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs
}

// overlapped reports whether two runs were running at the same time.
func (p *play) overlapped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.overlap
}

func (p *play) run(ctx context.Context, _ containers.Spec) containers.Exit {
	p.mu.Lock()
	code := p.codes[min(p.runs, len(p.codes)-1)]
	p.runs++
	p.running++
	p.overlap = p.overlap || p.running > 1
	p.mu.Unlock()
	simtest.Sleep(ctx, p.takes)
	p.mu.Lock()
	p.running--
	p.mu.Unlock()
	if ctx.Err() != nil {
		code = 143
	}
	return containers.Exit{Code: code}
}

// runAttempt runs two steps in the given attempt, one after the other or both at
// once, in a worker that is killed on the way and resumed. It returns the steps'
// exit codes.
func runAttempt(w *simtest.World, attempt int, names [2]string, concurrent bool, killAfter time.Duration) (codes [2]int32) {
	w.Helper()
	w.Execution.Attempts, w.Execution.Resumptions = attempt, 0
	function := func(p *simtest.Worker) (codes [2]int32) {
		ktx := p.ExecutionContext()
		run := func(i int) {
			r, err := kontinue.RunScript(ktx, simtest.Script(names[i], "true"))
			if p.Ctx.Err() == nil {
				require.NoError(w, err)
				codes[i] = simtest.ExitCode(r)
			}
		}
		var wg sync.WaitGroup
		for i := range names {
			wg.Go(func() { run(i) })
			if !concurrent {
				wg.Wait()
			}
		}
		wg.Wait()
		return codes
	}
	first := w.Worker()
	time.AfterFunc(killAfter, first.Kill)
	function(first)
	w.Execution.Resumptions++
	return function(w.Worker())
}

// TestChildPolicies counts the runs of a step that succeeds and of one that
// fails twice, over three attempts, in each of which a worker is killed.
func TestChildPolicies(t *testing.T) {
	t.Parallel()
	named, unnamed := [2]string{"good", "flaky"}, [2]string{"", ""}
	for _, tc := range []struct {
		policy      kontinue.ChildPolicy
		good, flaky int      // runs in all
		codes       [3]int32 // of the flaky step, in each attempt
	}{
		{kontinue.ChildPolicyNone, 1, 1, [3]int32{5, 5, 5}},
		{kontinue.ChildPolicyRetryFailed, 1, 3, [3]int32{5, 6, 0}},
		{kontinue.ChildPolicyRetryAll, 3, 3, [3]int32{5, 6, 0}},
	} {
		for _, names := range [][2]string{named, unnamed} {
			for _, concurrent := range []bool{false, true} {
				if concurrent && names == unnamed {
					continue // unnamed steps must not be concurrent
				}
				times := []time.Duration{0, time.Second, 4 * time.Second, 8 * time.Second, time.Minute}
				for i := 0; i < len(times); i += simtest.Stride {
					killAfter := times[i]
					name := fmt.Sprintf("%s, names %q, concurrent=%t, killed after %s", tc.policy, strings.Join(names[:], ""), concurrent, killAfter)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						simtest.Run(t, func(w *simtest.World) {
							steps := names
							if names == unnamed {
								steps = [2]string{"step-1", "step-2"}
							}
							w.Execution.ChildPolicy = tc.policy
							good := newPlay(w, steps[0], 3*time.Second, 0)
							flaky := newPlay(w, steps[1], 3*time.Second, 5, 6, 0)
							for attempt, want := range tc.codes {
								require.Equal(t, [2]int32{0, want}, runAttempt(w, attempt, names, concurrent, killAfter), "attempt %d", attempt)
								w.Sleep(time.Minute)
							}
							require.Equal(t, tc.good, good.count())
							require.Equal(t, tc.flaky, flaky.count())
							// The earlier runs stay, for inspection.
							require.Len(t, w.Jobs()[steps[0]], tc.good)
							require.Len(t, w.Jobs()[steps[1]], tc.flaky)
						})
					})
				}
			}
		}
	}
}

// TestStepThatOutlivesItsAttempt retries while a step of the failed attempt is
// still running, or after it has ended without its result having been returned.
func TestStepThatOutlivesItsAttempt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		policy   kontinue.ChildPolicy
		pause    time.Duration // between the attempts; the step takes a minute
		code     int32         // of the step's first run
		runs     [3]int        // after each attempt
		seen     [3]int32
		replaced bool // the first run is deleted
	}{
		{"None, running", kontinue.ChildPolicyNone, time.Second, 4, [3]int{1, 1, 1}, [3]int32{0, 4, 4}, false},
		{"None, ended", kontinue.ChildPolicyNone, time.Hour, 4, [3]int{1, 1, 1}, [3]int32{0, 4, 4}, false},
		{"RetryFailed, running", kontinue.ChildPolicyRetryFailed, time.Second, 4, [3]int{1, 1, 2}, [3]int32{0, 4, 9}, false},
		{"RetryFailed, ended", kontinue.ChildPolicyRetryFailed, time.Hour, 4, [3]int{1, 1, 2}, [3]int32{0, 4, 9}, false},
		{"RetryFailed, succeeds", kontinue.ChildPolicyRetryFailed, time.Second, 0, [3]int{1, 1, 1}, [3]int32{0, 0, 0}, false},
		{"RetryAll, running", kontinue.ChildPolicyRetryAll, time.Second, 4, [3]int{1, 2, 3}, [3]int32{0, 9, 9}, true},
		{"RetryAll, ended", kontinue.ChildPolicyRetryAll, time.Hour, 4, [3]int{1, 1, 2}, [3]int32{0, 4, 9}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Execution.ChildPolicy = tc.policy
				slow := newPlay(w, "slow", time.Minute, tc.code, 9)
				var firstRun string
				for attempt := range 3 {
					w.Execution.Attempts = attempt
					p := w.Worker()
					if attempt == 0 {
						// The function returns early because of another failure.
						time.AfterFunc(10*time.Second, func() { p.Cancel(nil) })
					}
					r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))
					if attempt == 0 {
						require.ErrorIs(t, err, context.Canceled)
						firstRun = string(w.Jobs()["slow"][0].UID)
						w.Sleep(tc.pause)
					} else {
						require.NoError(t, err)
						require.Equal(t, tc.seen[attempt], simtest.ExitCode(r), "attempt %d", attempt)
						// A resume returns the same result again.
						p.Kill()
						again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("slow", "true"))
						require.NoError(t, err)
						require.Equal(t, facts(r), facts(again), "attempt %d", attempt)
					}
					require.Equal(t, tc.runs[attempt], slow.count(), "attempt %d", attempt)
					require.False(t, slow.overlapped(), "two runs at the same time")
				}
				there := false
				for _, job := range w.Jobs()["slow"] {
					there = there || string(job.UID) == firstRun
				}
				require.Equal(t, !tc.replaced, there)
			})
		})
	}
}

// TestKilledWhileARunIsReplaced kills the worker at each request of a step that,
// under RetryAll, first has to delete the running Job of the attempt before.
func TestKilledWhileARunIsReplaced(t *testing.T) {
	t.Parallel()
	const requests = 6 // list, delete, get until it is gone, create, patch
	for n := 1; n <= requests; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("request %d, before=%t", n, before), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					w.Execution.ChildPolicy = kontinue.ChildPolicyRetryAll
					slow := newPlay(w, "slow", time.Minute, 4, 9, 8)
					p := w.Worker()
					time.AfterFunc(10*time.Second, p.Kill)
					_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))
					require.ErrorIs(t, err, simtest.ErrKilled)
					w.Execution.Attempts = 1
					p = w.Worker()
					p.KillAt(n, before)
					_, _ = kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))
					require.Error(t, p.Ctx.Err(), "the worker lived")
					p = w.Worker()
					r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))
					require.NoError(t, err)
					require.Equal(t, int32(9), simtest.ExitCode(r))
					require.Equal(t, 2, slow.count())
					require.False(t, slow.overlapped())
					require.Len(t, w.Jobs()["slow"], 1)
				})
			})
		}
	}
}
