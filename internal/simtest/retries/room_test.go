package retries_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestCancelWhileARunWaitsForRoom cancels a step whose next run waits for room, which another
// step takes: Cancel does not wait for that, and the run is not created.
func TestCancelWhileARunWaitsForRoom(t *testing.T) {
	t.Parallel()
	for _, cancel := range []bool{true, false} {
		simtest.Run(t, func(w *simtest.World) {
			p := newPlay(w, 3, 0)
			w.Cluster.On(containers.Match{Step: "long"}, containers.Script{Run: time.Hour})
			client, _ := w.NewClient("worker", func(c *kontinue.Config) { c.MaxRunning = 1 })
			require.NoError(w, client.Start(w.Context()))
			ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
			require.NoError(w, err)
			flaky, err := kontinue.StartScript(ktx, options(kontinue.Retry{Limit: 5, Backoff: time.Minute}))
			require.NoError(w, err)
			w.Sleep(20 * time.Second)
			long, err := kontinue.StartScript(ktx, simtest.Script("long", "true"))
			require.NoError(w, err)
			w.Sleep(2 * time.Minute)
			synctest.Wait()
			require.Equal(w, 1, p.count(), "there is no room")
			runs, code := 2, int32(0)
			if cancel {
				runs, code = 1, 3
				began := time.Now()
				require.NoError(w, flaky.Cancel(w.Context()))
				_, err = flaky.Wait(w.Context())
				require.NoError(w, err)
				require.Less(w, time.Since(began), time.Second)
			}
			require.NoError(w, long.Cancel(w.Context()))
			r, err := flaky.Wait(w.Context())
			require.NoError(w, err)
			require.Equal(w, code, simtest.ExitCode(r))
			p.requireRuns(w, runs)
		})
	}
}
