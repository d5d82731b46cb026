package retries_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestNewAttempt begins a new attempt when the retries of the one before are used up.
func TestNewAttempt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		policy kontinue.ChildPolicy
		codes  []int32
		runs   [2]int // that the result of each attempt says
		last   int32  // exit code of the second attempt
		total  int
	}{
		{kontinue.ChildPolicyNone, []int32{3, 4, 5}, [2]int{2, 2}, 4, 2},
		{kontinue.ChildPolicyRetryFailed, []int32{3, 4, 5, 0}, [2]int{2, 2}, 0, 4},
		{kontinue.ChildPolicyRetryFailed, []int32{3, 4, 0}, [2]int{2, 1}, 0, 3},
		{kontinue.ChildPolicyRetryFailed, []int32{3, 4, 5, 6, 0}, [2]int{2, 2}, 6, 4},
		{kontinue.ChildPolicyRetryFailed, []int32{3, 0}, [2]int{2, 2}, 0, 2},
		{kontinue.ChildPolicyRetryAll, []int32{3, 0, 4, 0}, [2]int{2, 2}, 0, 4},
		{kontinue.ChildPolicyRetryAll, []int32{3, 4, 5, 6, 0}, [2]int{2, 2}, 6, 4},
	} {
		t.Run(fmt.Sprintf("%s %v", tc.policy, tc.codes), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				p := newPlay(w, tc.codes...)
				w.Execution.ChildPolicy = tc.policy
				for attempt, runs := range tc.runs {
					w.Execution.Attempts = attempt
					r, err := run(w.Worker(), kontinue.Retry{Limit: 1})
					require.NoError(t, err)
					require.Equal(t, runs, r.Runs(), "attempt %d", attempt)
					if attempt == 1 {
						require.Equal(t, tc.last, simtest.ExitCode(r))
					}
				}
				p.requireRuns(w, tc.total)
			})
		})
	}
}

// TestNewAttemptInTheBackoff begins a new attempt while one before backs off, or runs its
// second run, with its worker dead or alive.
func TestNewAttemptInTheBackoff(t *testing.T) {
	t.Parallel()
	for policy, runs := range map[kontinue.ChildPolicy]struct{ inBackoff, inRun int }{
		kontinue.ChildPolicyNone:        {2, 2}, // which has one history for all attempts
		kontinue.ChildPolicyRetryFailed: {2, 2},
		kontinue.ChildPolicyRetryAll:    {2, 3},
	} {
		for _, alive := range []bool{false, true} {
			for _, at := range []time.Duration{10 * time.Second, 65 * time.Second} {
				t.Run(fmt.Sprintf("%s, alive=%t, after %s", policy, alive, at), func(t *testing.T) {
					t.Parallel()
					simtest.Run(t, func(w *simtest.World) {
						p := newPlay(w, 3, 0)
						w.Execution.ChildPolicy = policy
						retry := kontinue.Retry{Limit: 3, Backoff: time.Minute}
						first := w.Worker()
						s, err := kontinue.StartScript(first.ExecutionContext(), options(retry))
						require.NoError(t, err)
						w.Sleep(at)
						if !alive {
							first.Kill()
						}
						w.Execution.Attempts = 1
						second, err := run(w.Worker(), retry)
						require.NoError(t, err)
						if _, err = s.Wait(w.Context()); alive && policy != kontinue.ChildPolicyRetryAll {
							require.NoError(t, err)
						}
						w.Sleep(time.Hour)
						p.mu.Lock()
						defer p.mu.Unlock()
						require.False(t, p.overlap)
						want := runs.inRun
						if at < time.Minute {
							want = runs.inBackoff
						}
						require.True(t, second.Succeeded(), second.Message)
						require.Len(t, p.begun, want)
					})
				})
			}
		}
	}
}

// TestRunIsDeleted deletes a Job by hand in the back-off, and while the next run runs. Runs
// that are gone do not count.
func TestRunIsDeleted(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		s := inBackoff(w, w.Worker(), nil)
		job := byNumber(w)[0]
		require.NoError(t, w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)}))
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.Equal(t, 1, r.Runs())
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Len(t, p.begun, 2)
		require.False(t, p.overlap)
	})
}

// TestRecordIsRemoved removes the record of the run that has failed in the back-off: the run
// has no result then, which is read again and recorded, and the back-off counts from there.
func TestRecordIsRemoved(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		s := inBackoff(w, w.Worker(), nil)
		job := byNumber(w)[0]
		patch := []byte(`{"metadata":{"annotations":{"kontinue.cloud/outcome":null}}}`)
		_, err := w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), job.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		require.NoError(t, err)
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		p.requireRuns(w, 2)
		require.True(t, recorded(byNumber(w)[0]))
	})
}
