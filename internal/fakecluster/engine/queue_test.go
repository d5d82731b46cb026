package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

func TestWorkRetriesWithBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		q := engine.NewQueue[string](time.Second, 5*time.Second)
		context.AfterFunc(ctx, q.ShutDown)
		var at []time.Duration
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			engine.Work(ctx, q, func(context.Context, string) error {
				at = append(at, time.Since(began))
				if len(at) == 6 {
					return nil
				}
				return errors.New("not yet")
			})
		})
		q.Add("a")
		pass()
		time.AfterFunc(time.Minute, cancel)
		wg.Wait()
		require.Equal(t, []time.Duration{0, 1e9, 3e9, 7e9, 12e9, 17e9}, at)
	})
}

func TestWorkSyncsNothingOnceCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		q := engine.NewQueue[string](time.Second, time.Second)
		q.Add("a")
		q.Add("b")
		cancel()
		q.ShutDown()
		engine.Work(ctx, q, func(_ context.Context, key string) error {
			t.Errorf("synced %q", key)
			return nil
		})
	})
}
