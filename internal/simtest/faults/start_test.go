package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestStartInTrouble: Start must return an error that says why, in bounded time, and
// leave no goroutine behind (a bubble ends only when all of its goroutines have).
func TestStartInTrouble(t *testing.T) {
	t.Parallel()
	for name, x := range simtest.Troubles {
		if !x.NoStart {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				end := x.Begin(w, "worker")
				client, log := w.NewClient("worker", nil)
				began := time.Now()
				err := client.Start(w.Context())
				require.ErrorContains(w, err, x.Says)
				if x.Bound == 0 {
					require.ErrorIs(w, err, context.DeadlineExceeded)
					x.Bound = 30 * time.Second
				}
				require.LessOrEqual(w, time.Since(began), x.Bound)
				require.ErrorIs(w, client.Healthy(), kontinue.ErrNotRunning)
				if x.Says != "no answer" { // such a list outlasts Start
					require.Contains(w, log.Warnings(), "list and watch again")
				}
				require.Zero(w, w.Cluster.APIServer().Stats().Active("worker", ""), "open watches")
				end()
				require.NoError(w, client.Start(w.Context()), "once it is over, the same client starts")
				require.NoError(w, client.Healthy())
				require.Zero(w, w.StopClient(client))
			})
		})
	}
}

// withoutBookmarks drops all bookmarks from the watches of a user.
func withoutBookmarks(w *simtest.World, user string) {
	w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, e watch.Event) (bool, time.Duration) {
		return i.User != user || e.Type != watch.Bookmark, 0
	})
}

// TestStartWithoutBookmarks: a client starts and works although no bookmark ever
// arrives, not even the one that ends the initial events.
func TestStartWithoutBookmarks(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		withoutBookmarks(w, "worker-1")
		began := time.Now()
		p := w.Worker()
		require.Less(w, time.Since(began), 30*time.Second)
		require.NoError(w, p.Client.Healthy())
		r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		require.True(w, r.Succeeded())
	})
}

// TestStartTimeoutIsTheConfigured: a StartTimeout that is not the default bounds
// Start.
func TestStartTimeoutIsTheConfigured(t *testing.T) {
	t.Parallel()
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: &rest.Config{Host: "https://127.0.0.1:1"}, Namespace: "ns", StartTimeout: 300 * time.Millisecond,
	})
	require.NoError(t, err)
	began := time.Now()
	err = client.Start(t.Context())
	require.ErrorContains(t, err, "no progress within StartTimeout (300ms)")
	require.ErrorContains(t, err, "connection refused")
	require.Less(t, time.Since(began), 10*time.Second)
	require.NoError(t, client.Stop(t.Context()))
}

// TestStartAmongManyPods: the pods of finished Jobs come in pages, each of which takes half
// a StartTimeout. The start gets further all the time, and succeeds. One
// page that does not come, or a watch that does not open, ends it.
func TestStartAmongManyPods(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		faults []apiserver.Fault
		fails  bool
	}{
		"slow pages": {faults: []apiserver.Fault{{Match: apiserver.Match{Verb: "list"}, Delay: 15 * time.Second}}},
		"one page does not come": {faults: []apiserver.Fault{
			{Match: apiserver.Match{Verb: "list"}, Times: 3, Delay: 15 * time.Second},
			{Match: apiserver.Match{Verb: "list"}, Delay: time.Hour},
		}, fails: true},
		"no watch": {faults: []apiserver.Fault{
			{Match: apiserver.Match{Verb: "watch", Resource: "pods"}, Before: apierrors.NewResourceExpired("too old")},
		}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				const pods, pages = 1500, 3
				gates := []corev1.PodSchedulingGate{{Name: "example.com/never"}} // no kubelet writes to them
				for i := range pods {
					_, err := w.Admin().CoreV1().Pods("ns").Create(w.Context(), &corev1.Pod{
						ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", i), Labels: map[string]string{
							"app.kubernetes.io/managed-by": "kontinue", "kontinue.cloud/worker-group": "default",
						}},
						Spec: corev1.PodSpec{SchedulingGates: gates, Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}},
					}, metav1.CreateOptions{})
					require.NoError(t, err)
				}
				for _, f := range tc.faults {
					f.User = "worker"
					w.Cluster.APIServer().AddFault(f)
				}
				client, _ := w.NewClient("worker", nil)
				began := time.Now()
				err := client.Start(w.Context())
				if tc.fails {
					require.ErrorContains(t, err, "no progress within StartTimeout (30s)")
					require.Less(t, time.Since(began), 3*time.Minute)
					return
				}
				require.NoError(t, err)
				require.GreaterOrEqual(t, time.Since(began), (1+pages)*15*time.Second)
				require.NoError(t, client.Healthy())
				require.Zero(t, w.StopClient(client))
			})
		})
	}
}

// TestStopDuringAStartInTrouble: Stop ends a Start that is still retrying, at once.
func TestStopDuringAStartInTrouble(t *testing.T) {
	t.Parallel()
	for name, x := range simtest.Troubles {
		if !x.NoStart || x.Bound != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				x.Begin(w, "worker")
				client, _ := w.NewClient("worker", nil)
				started := make(chan error, 1)
				go func() { started <- client.Start(context.Background()) }()
				w.Sleep(10 * time.Second)
				require.Zero(w, w.StopClient(client))
				require.ErrorIs(w, <-started, kontinue.ErrNotRunning)
				require.Zero(w, w.Cluster.APIServer().Stats().Active("worker", ""))
				require.ErrorIs(w, client.Start(w.Context()), kontinue.ErrNotRunning)
			})
		})
	}
}

// TestStartAfterTrouble: the API server recovers while Start is still retrying.
func TestStartAfterTrouble(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		undo := w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "worker"}, Before: simtest.ErrRefused})
		time.AfterFunc(10*time.Second, undo)
		client, _ := w.NewClient("worker", nil)
		began := time.Now()
		require.NoError(w, client.Start(w.Context()))
		require.Greater(w, time.Since(began), 9*time.Second)
		require.Zero(w, w.StopClient(client))
	})
}
