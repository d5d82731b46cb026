package livelogs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// write is a writer made of a function.
type write func(p []byte) (int, error)

func (f write) Write(p []byte) (int, error) { return f(p) }

// TestSlowWriter: it delays its own lines only. Everything is written before the result
// comes, as long as the writer makes progress.
func TestSlowWriter(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "slow"}, prints(100, 100*time.Millisecond))
		w.Cluster.On(containers.Match{Step: "other"}, prints(10, time.Second))
		client, _ := w.NewClient("worker", func(c *kontinue.Config) { c.MaxLogStreams = 2 }) // one for the living
		require.NoError(t, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(t, err)
		began := time.Now()
		other := make(chan time.Duration, 1)
		reports := make(chan *kontinue.LogReport, 1)
		go func() {
			report, err := tryRun(ktx, script("other", newOutput(w)))
			if err != nil {
				t.Error(err)
			}
			reports <- report
			other <- time.Since(began)
		}()
		out := newOutput(w)
		report := run(ktx, w, script("slow", write(func(p []byte) (int, error) {
			w.Sleep(8 * time.Second)
			return out.Write(p)
		})))
		requireComplete(t, 100, report)
		require.Equal(t, numbered(100), out.lines)
		require.Less(t, time.Since(began), 40*time.Second)
		requireComplete(t, 10, <-reports)
		require.Less(t, <-other, 15*time.Second, "ten seconds, and no Write of the other step")
	})
}

// TestBlockedWriter: the result comes ten seconds after the end of the step, and its
// report says that lines are missing. The place of the blocked log is given to another.
func TestBlockedWriter(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, prints(300, 100*time.Millisecond))
		client, log := w.NewClient("worker", func(c *kontinue.Config) { c.MaxLogStreams = 1 })
		require.NoError(t, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(t, err)
		unblock, blocked := make(chan struct{}), make(chan struct{})
		writes := 0
		second := make(chan *kontinue.LogReport)
		go func() {
			<-blocked
			report, err := tryRun(ktx, script("second", newOutput(w)))
			if err != nil {
				t.Error(err)
			}
			second <- report
		}()
		began := time.Now()
		report := run(ktx, w, script("first", write(func(p []byte) (int, error) {
			if writes++; writes == 2 {
				close(blocked)
				<-unblock
			}
			return len(p), nil
		})))
		require.InDelta(t, (30+10+1)*time.Second, time.Since(began), float64(2*time.Second))
		require.False(t, report.Complete)
		require.ErrorContains(t, report.Err, "was not written within the time that a result waits for it")
		require.EqualValues(t, 1, report.Lines)
		requireComplete(t, 300, <-second)
		require.Error(t, client.Stop(w.Context()), "Stop waits for the Write")
		close(unblock)
		require.NoError(t, client.Stop(w.Context()))
		require.Equal(t, 2, writes, "nothing is written after the result")
		require.Empty(t, log.Warnings())
	})
}

// TestFailingWriter: an error or a panic ends the step's logs and not the step.
func TestFailingWriter(t *testing.T) {
	t.Parallel()
	errFull := errors.New("disk full")
	for name, tc := range map[string]struct {
		fail func(p []byte) (int, error)
		want string
	}{
		"error":       {func([]byte) (int, error) { return 3, errFull }, "disk full"},
		"short write": {func([]byte) (int, error) { return 3, nil }, "short write"},
		"panic":       {func([]byte) (int, error) { panic("no file") }, "the writer of the step's logs panicked: no file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, prints(20, time.Second))
				p, out, writes := w.Worker(), newOutput(w), 0
				began := time.Now()
				report := run(p.ExecutionContext(), w, script("a", write(func(p []byte) (int, error) {
					if writes++; writes > 5 {
						return tc.fail(p)
					}
					return out.Write(p)
				})))
				require.Less(t, time.Since(began), 22*time.Second)
				require.False(t, report.Complete)
				require.ErrorContains(t, report.Err, tc.want)
				if name == "error" {
					require.ErrorIs(t, report.Err, errFull)
				}
				require.EqualValues(t, 5, report.Lines)
				require.Equal(t, numbered(5), out.lines)
				require.Equal(t, 6, writes, "nothing more is written")
			})
		})
	}
}
