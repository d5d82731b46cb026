package listwatch_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/listwatch"
)

// TestGuardOfAForeignClient: a watch of a client that has not the transport of CloseIdle
// goes silent. A server that sends bookmarks is gone then; a fake one is not.
func TestGuardOfAForeignClient(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		known  bool // the server is known to send bookmarks
		sends  []watch.EventType
		before bool // an earlier watch has brought a bookmark
		ends   bool
	}{
		"fake":                        {},
		"fake, with events":           {sends: []watch.EventType{watch.Added, watch.Modified}},
		"bookmark, then silence":      {sends: []watch.EventType{watch.Bookmark}, ends: true},
		"events and bookmarks":        {sends: []watch.EventType{watch.Added, watch.Bookmark, watch.Modified}, ends: true},
		"silent from the beginning":   {known: true, ends: true},
		"silent after a reconnect":    {before: true, ends: true},
		"server by HTTP, with events": {known: true, sends: []watch.EventType{watch.Added}, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var open *watch.FakeWatcher
				lw := listwatch.New(listwatch.Config{
					Resource: "pods", Namespace: "ns", Logger: slog.New(slog.DiscardHandler), Bookmarks: tc.known,
					Watch: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
						open = watch.NewFake()
						return open, nil
					},
				})
				if tc.before {
					w, err := lw.WatchWithContext(t.Context(), metav1.ListOptions{})
					require.NoError(t, err)
					go open.Action(watch.Bookmark, &corev1.Pod{})
					<-w.ResultChan()
					w.Stop()
				}
				w, err := lw.WatchWithContext(t.Context(), metav1.ListOptions{})
				require.NoError(t, err)
				for _, kind := range tc.sends {
					go open.Action(kind, &corev1.Pod{})
					require.Equal(t, kind, (<-w.ResultChan()).Type)
					pass(30 * time.Second)
				}
				opened, problem := lw.State()
				require.True(t, opened)
				require.Nil(t, problem)
				began := time.Now()
				if !tc.ends {
					select {
					case <-w.ResultChan():
						require.Fail(t, "it has ended")
					case <-time.After(24 * time.Hour):
					}
					_, problem = lw.State()
					require.Nil(t, problem)
					w.Stop()
					return
				}
				pass(130 * time.Second)
				_, problem = lw.State()
				require.ErrorContains(t, problem, "nothing came from the API server")
				_, ok := <-w.ResultChan()
				require.False(t, ok)
				require.LessOrEqual(t, time.Since(began), listwatch.DefaultIdleTimeout)
				require.True(t, open.IsStopped())
				_, problem = lw.State()
				require.ErrorContains(t, problem, "nothing came from the API server for too long")
				w.Stop()
			})
		})
	}
}

// TestGuardWaitsForASlowReader: what was not read yet did come.
func TestGuardWaitsForASlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := watch.NewFakeWithChanSize(3, false)
		lw := listwatch.New(listwatch.Config{
			Resource: "pods", Namespace: "ns", Logger: slog.New(slog.DiscardHandler), Bookmarks: true,
			Watch: func(context.Context, metav1.ListOptions) (watch.Interface, error) { return in, nil },
		})
		w, err := lw.WatchWithContext(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for range 3 {
			in.Add(&corev1.Pod{})
		}
		for range 3 {
			pass(time.Hour)
			_, ok := <-w.ResultChan()
			require.True(t, ok)
		}
		w.Stop()
	})
}

// TestNoAnswerToAWatch: a client without the transport of CloseIdle gets no answer.
func TestNoAnswerToAWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		lw := listwatch.New(listwatch.Config{
			Resource: "pods", Namespace: "ns", Logger: slog.New(slog.DiscardHandler),
			Watch: func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) {
				if n++; n == 1 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return watch.NewFake(), nil
			},
		})
		began := time.Now()
		w, err := lw.WatchWithContext(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.InDelta(t, 30, time.Since(began).Seconds(), 2)
		w.Stop()
	})
}
