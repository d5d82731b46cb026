package engine_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

func get(t *testing.T, q *engine.Queue[string]) string {
	t.Helper()
	key, ok := q.Get(t.Context())
	require.True(t, ok)
	return key
}

// none reports that nothing is handed out within d.
func none(t *testing.T, q *engine.Queue[string], d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	key, ok := q.Get(ctx)
	require.False(t, ok, "handed out %q", key)
}

func TestQueueHandsOutOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := engine.NewQueue[string]()
		q.Add("a")
		q.Add("b")
		q.Add("a")
		require.Equal(t, "a", get(t, q))
		require.Equal(t, "b", get(t, q))
		none(t, q, time.Hour)
	})
}

func TestQueueHoldsAKeyBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := engine.NewQueue[string]()
		q.Add("a")
		require.Equal(t, "a", get(t, q))
		q.Add("a")
		none(t, q, time.Hour)
		q.Done("a")
		require.Equal(t, "a", get(t, q))
		q.Done("a")
		none(t, q, time.Hour)
	})
}

func TestQueueLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := engine.NewQueue[string]()
		began := time.Now()
		q.AddAfter("late", 20*time.Second)
		q.AddAfter("soon", 10*time.Second)
		q.AddAfter("never", 1<<63-1)
		q.AddAfter("now", 0)
		for _, want := range []struct {
			key string
			at  time.Duration
		}{{"now", 0}, {"soon", 10 * time.Second}, {"late", 20 * time.Second}} {
			require.Equal(t, want.key, get(t, q))
			require.Equal(t, want.at, time.Since(began))
			q.Done(want.key)
		}
		none(t, q, 1000*time.Hour)
	})
}

func TestQueueSoonerWakesAWaitingWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := engine.NewQueue[string]()
		q.AddAfter("late", time.Hour)
		began := time.Now()
		time.AfterFunc(time.Second, func() { q.AddAfter("soon", time.Second) })
		require.Equal(t, "soon", get(t, q))
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}

func TestQueueLaterInAnyOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := engine.NewQueue[string]()
		began := time.Now()
		random := rand.New(rand.NewPCG(1, 2))
		for _, n := range random.Perm(200) {
			q.AddAfter(strconv.Itoa(n+1), time.Duration(n+1)*time.Second)
		}
		for n := range 200 {
			require.Equal(t, strconv.Itoa(n+1), get(t, q))
			require.EqualValues(t, n+1, time.Since(began).Seconds())
		}
	})
}

func TestQueueRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := engine.NewQueue[string]()
		for _, want := range []int{1, 2, 4, 5, 5} {
			began := time.Now()
			q.Retry("a", time.Second, 5*time.Second)
			get(t, q)
			q.Done("a")
			require.EqualValues(t, want, time.Since(began).Seconds())
		}
		q.Forget("a")
		began := time.Now()
		q.Retry("a", time.Second, 5*time.Second)
		get(t, q)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestQueueKeepsWorkersApart(t *testing.T) {
	t.Parallel()
	q := engine.NewQueue[int]()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var done atomic.Int64
	var busy [10]atomic.Bool
	for range 8 {
		wg.Go(func() {
			for {
				key, ok := q.Get(ctx)
				if !ok {
					return
				}
				if !busy[key].CompareAndSwap(false, true) {
					t.Errorf("two workers hold %d", key)
				}
				if done.Add(1) >= 2000 {
					cancel()
				}
				busy[key].Store(false)
				q.Done(key)
			}
		})
	}
	for i := 0; ctx.Err() == nil; i++ {
		q.Add(i % 10)
	}
	wg.Wait()
	require.GreaterOrEqual(t, done.Load(), int64(2000))
}
