package kontinue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// TestStartInTrouble: an error that says why, in bounded time, and nothing that
// goes on (a bubble does not end before its goroutines).
func TestStartInTrouble(t *testing.T) {
	t.Parallel()
	for name, x := range troubles {
		if !x.noStart {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				end := x.begin(w, "worker")
				client, log := w.logged("worker", nil)
				began := time.Now()
				err := client.Start(w.Context())
				require.ErrorContains(w, err, x.says)
				if x.bound == 0 {
					require.ErrorIs(w, err, context.DeadlineExceeded)
					x.bound = 30 * time.Second
				}
				require.LessOrEqual(w, time.Since(began), x.bound)
				require.ErrorIs(w, client.Healthy(), kontinue.ErrNotRunning)
				if x.says != "no answer" { // it would take longer than the start
					require.Contains(w, log.warnings(), "list and watch again")
				}
				require.Zero(w, w.cluster.APIServer().Stats().Active("worker", ""), "open watches")
				end()
				require.NoError(w, client.Start(w.Context()), "once it is over, the same client starts")
				require.NoError(w, client.Healthy())
				require.Zero(w, bounded(w, client))
			})
		})
	}
}

// TestStartWithoutBookmarks: neither the one that ends the initial events nor any
// other ever comes.
func TestStartWithoutBookmarks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		withoutBookmarks(w, "worker-1")
		began := time.Now()
		p := w.worker()
		require.Less(w, time.Since(began), 30*time.Second)
		require.NoError(w, p.client.Healthy())
		r, err := kontinue.RunScript(p.context(), script("a", "true"))
		require.NoError(w, err)
		require.True(w, r.Succeeded())
	})
}

// TestStartTimeoutIsTheConfigured: also when it is not the default, and the
// address leads nowhere.
func TestStartTimeoutIsTheConfigured(t *testing.T) {
	t.Parallel()
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: &rest.Config{Host: "https://127.0.0.1:1"}, Namespace: "ns", StartTimeout: 300 * time.Millisecond,
	})
	require.NoError(t, err)
	began := time.Now()
	err = client.Start(t.Context())
	require.ErrorContains(t, err, "no success within StartTimeout (300ms)")
	require.ErrorContains(t, err, "connection refused")
	require.Less(t, time.Since(began), 10*time.Second)
	require.NoError(t, client.Stop(t.Context()))
}

// TestStopDuringAStartInTrouble ends both at once.
func TestStopDuringAStartInTrouble(t *testing.T) {
	t.Parallel()
	for name, x := range troubles {
		if !x.noStart || x.bound != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				x.begin(w, "worker")
				client, _ := w.logged("worker", nil)
				started := make(chan error, 1)
				go func() { started <- client.Start(context.Background()) }()
				after(w.Context(), 10*time.Second)
				require.Zero(w, bounded(w, client))
				require.ErrorIs(w, <-started, kontinue.ErrNotRunning)
				require.Zero(w, w.cluster.APIServer().Stats().Active("worker", ""))
				require.ErrorIs(w, client.Start(w.Context()), kontinue.ErrNotRunning)
			})
		})
	}
}

// TestStartAfterTrouble: the API server comes back while Start still tries.
func TestStartAfterTrouble(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		undo := w.cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "worker"}, Before: errRefused})
		time.AfterFunc(10*time.Second, undo)
		client, _ := w.logged("worker", nil)
		began := time.Now()
		require.NoError(w, client.Start(w.Context()))
		require.Greater(w, time.Since(began), 9*time.Second)
		require.Zero(w, bounded(w, client))
	})
}
