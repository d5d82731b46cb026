package logs

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestTurns: the living do not take all turns, and one whose container ends while it waits
// is not held up by them.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &Reader{MaxStreams: 16}
		held := make([]turn, 20)
		sources := make([]*Source, len(held))
		took := make(chan int, len(held))
		ctx, cancel := context.WithCancel(t.Context())
		for i := range held {
			sources[i] = sourceOf(running)
			go func() {
				if held[i].take(ctx, r, sources[i]) == nil {
					took <- i
				}
			}()
			synctest.Wait()
		}
		require.Len(t, took, 14)
		open, queued := r.Streams()
		require.Equal(t, []int{14, 6}, []int{open, queued})
		for i := 19; i > 15; i-- {
			sources[i].Set(ended)
			synctest.Wait()
		}
		require.Len(t, took, 16, "two are for those that have ended")
		held[3].release()
		held[3].release()
		synctest.Wait()
		require.Len(t, took, 17)
		require.NoError(t, held[5].take(ctx, r, sources[5]), "it has one")
		cancel()
		synctest.Wait()
		open, queued = r.Streams()
		require.Equal(t, []int{16, 0}, []int{open, queued}, "one has given its own back")
		require.Len(t, took, 17)
		require.ErrorIs(t, held[14].take(ctx, r, sources[14]), context.Canceled)
	})
}

func TestASingleTurn(t *testing.T) {
	t.Parallel()
	r := &Reader{MaxStreams: 1}
	var a turn
	require.NoError(t, a.take(t.Context(), r, sourceOf(running)))
}
