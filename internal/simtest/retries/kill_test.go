package retries_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/simtest"
)

// retry is that of the tests whose step succeeds in its third run.
var retry = kontinue.Retry{Limit: 2, Backoff: 20 * time.Second}

var succeedsThird = []int32{3, 4, 0}

// requireThird requires that the step has succeeded in its third run, each of which followed
// the one before by its back-off or more, and was recorded before the next one was created.
func requireThird(w *simtest.World, p *play, r *kontinue.PodResult) {
	w.Helper()
	require.True(w, r.Succeeded(), r.Message)
	require.Equal(w, 3, r.Runs())
	p.requireRuns(w, 3)
	require.GreaterOrEqual(w, created(w)[1].Sub(p.ended[0]), 20*time.Second-time.Second)
	require.GreaterOrEqual(w, created(w)[2].Sub(p.ended[1]), 40*time.Second-time.Second)
	for _, job := range byNumber(w) {
		require.True(w, recorded(job), job.Name)
	}
}

// TestKilledAtEachRequest kills the worker at each of its requests, before and after it takes
// effect: before the record, between record and create, and after a create whose answer is
// lost. Another worker resumes.
func TestKilledAtEachRequest(t *testing.T) {
	t.Parallel()
	const requests = 10 // of an undisturbed step with three runs
	for n := 1; n <= requests; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("request %d, before=%t", n, before), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					p := newPlay(w, succeedsThird...)
					first := w.Worker()
					first.KillAt(n, before)
					r, err := run(first, retry)
					if first.Ctx.Err() != nil && err != nil {
						w.Sleep(time.Second)
						r, err = run(w.Worker(), retry)
					}
					require.NoError(t, err)
					requireThird(w, p, r)
				})
			})
		}
	}
}

// TestKilledAtAnyTime kills the worker at each second of the step, and another one resumes
// soon or when the back-off is long over.
func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{0, 7 * time.Second, 5 * time.Minute} {
		for at := time.Duration(0); at < 80*time.Second; at += simtest.Stride * 2 * time.Second {
			t.Run(fmt.Sprintf("killed after %s, away for %s", at, away), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					p := newPlay(w, succeedsThird...)
					first := w.Worker()
					time.AfterFunc(at, first.Kill)
					r, err := run(first, retry)
					if err != nil {
						require.ErrorIs(t, err, simtest.ErrKilled)
						w.Sleep(away)
						r, err = run(w.Worker(), retry)
					}
					require.NoError(t, err)
					requireThird(w, p, r)
				})
			})
		}
	}
}

// TestSeveralWorkers has workers on the same step at the same time, which begin at different
// times: they create no run twice, and all get the same result.
func TestSeveralWorkers(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{0, 5} { // of the last run
		for _, later := range []time.Duration{0, time.Second, 4 * time.Second, 15 * time.Second, 26 * time.Second, 40 * time.Second} {
			t.Run(fmt.Sprintf("code %d, the second begins after %s", code, later), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					p := newPlay(w, 3, 4, code)
					var wg sync.WaitGroup
					var results [3]*kontinue.PodResult
					for i := range results {
						worker := w.Worker()
						wg.Go(func() {
							w.Sleep(time.Duration(i) * later)
							r, err := run(worker, retry)
							if err != nil {
								t.Error(err)
							}
							results[i] = r
						})
					}
					wg.Wait()
					p.requireRuns(w, 3)
					for _, r := range results {
						require.NotNil(t, r)
						require.Equal(t, code, simtest.ExitCode(r))
						require.Equal(t, 3, r.Runs())
						require.Equal(t, results[0].Pod.UID, r.Pod.UID)
					}
				})
			})
		}
	}
}

// TestLostAnswers drops the answers of a kind of requests, one or several.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "patch", "list"} {
		for _, times := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d times", verb, times), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					p := newPlay(w, succeedsThird...)
					worker := w.Worker()
					time.AfterFunc(time.Second, func() { // the first create is that of any step
						w.Cluster.APIServer().AddFault(apiserver.Fault{
							Match: apiserver.Match{User: worker.User, Verb: verb, Resource: "jobs"}, Times: times, After: errors.New("unexpected EOF"),
						})
					})
					r, err := run(worker, retry)
					require.NoError(t, err)
					requireThird(w, p, r)
				})
			})
		}
	}
}

// TestOutageInTheBackoff has the API server away when a run is due.
func TestOutageInTheBackoff(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, succeedsThird...)
		worker := w.Worker()
		time.AfterFunc(10*time.Second, func() {
			undo := w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: worker.User}, Before: simtest.ErrRefused})
			time.AfterFunc(time.Minute, undo)
		})
		r, err := run(worker, retry)
		require.NoError(t, err)
		requireThird(w, p, r)
	})
}
