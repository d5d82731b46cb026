package retries_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestBackoff runs a step that fails several times, and looks when each run begins.
func TestBackoff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		retry kontinue.Retry
		codes []int32
		gaps  []time.Duration // between the end of a run and the next one
		code  int32
	}{
		"no retry":              {kontinue.Retry{}, []int32{3, 0}, nil, 3},
		"first run succeeds":    {kontinue.Retry{Limit: 5}, []int32{0}, nil, 0},
		"default back-off":      {kontinue.Retry{Limit: 3}, []int32{3, 4, 5, 0}, seconds(10, 20, 40), 0},
		"limit":                 {kontinue.Retry{Limit: 2}, []int32{3, 4, 5, 0}, seconds(10, 20), 5},
		"own back-off":          {kontinue.Retry{Limit: 2, Backoff: time.Minute}, []int32{3, 4, 0}, seconds(60, 120), 0},
		"back-off is capped":    {kontinue.Retry{Limit: 4, Backoff: 2 * time.Minute}, []int32{3, 4, 5, 6, 0}, seconds(120, 240, 300, 300), 0},
		"a long back-off stays": {kontinue.Retry{Limit: 2, Backoff: time.Hour}, []int32{3, 4, 0}, seconds(3600, 3600), 0},
		"almost none":           {kontinue.Retry{Limit: 2, Backoff: time.Nanosecond}, []int32{3, 4, 0}, seconds(0, 0), 0},
		"only infrastructure":   {kontinue.Retry{Infrastructure: 2}, []int32{3, 0}, nil, 3},
		"another class":         {kontinue.Retry{Limit: 2, Classes: []kontinue.Class{kontinue.ClassTimeout}}, []int32{3, 0}, nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				p := newPlay(w, tc.codes...)
				worker := w.Worker()
				r, err := run(worker, tc.retry)
				require.NoError(t, err)
				require.Equal(t, tc.code, simtest.ExitCode(r))
				require.Equal(t, len(tc.gaps)+1, r.Runs())
				require.Equal(t, tc.code == 0, r.Succeeded())
				require.False(t, r.Resumed())
				p.requireRuns(w, len(tc.gaps)+1)
				for i, gap := range tc.gaps {
					waited := created(w)[i+1].Sub(p.ended[i])
					if gap > 0 {
						require.Equal(t, gap, waited, "run %d", i+1)
					} else { // the Job controller ends the Job a second after its pod
						require.LessOrEqual(t, waited, 3*time.Second, "run %d", i+1)
					}
				}
				for _, job := range byNumber(w) {
					require.True(t, recorded(job), job.Name)
				}
			})
		})
	}
}

func seconds(all ...int) (d []time.Duration) {
	for _, s := range all {
		d = append(d, time.Duration(s)*time.Second)
	}
	return d
}

// TestRequestsOfARetry counts what a run more costs: one write, its create, and two LISTs of
// the step's Jobs, when the run has failed and when the back-off is over.
func TestRequestsOfARetry(t *testing.T) {
	t.Parallel()
	for runs := 1; runs <= 4; runs++ {
		t.Run(fmt.Sprintf("%d runs", runs), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				codes := []int32{1, 1, 1, 0}[4-runs:]
				newPlay(w, codes...)
				p := w.Worker()
				r, err := run(p, kontinue.Retry{Limit: 3})
				require.NoError(t, err)
				require.True(t, r.Succeeded())
				require.Equal(t, runs, p.Requests("create"))
				require.Equal(t, runs, p.Requests("patch"))
				require.Equal(t, 2*(runs-1), p.Requests("list")-p.Lists)
				require.Zero(t, p.Requests("get"))
				require.Equal(t, 4*runs-2, p.Requests(""))
			})
		})
	}
}
