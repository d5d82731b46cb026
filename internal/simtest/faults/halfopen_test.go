package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestHalfOpenWatchOfAForeignClientset: the watches of a Config.Clientset stay open and
// bring nothing any more, no bookmark and no end. The client notices, and sees the end
// of the Job.
func TestHalfOpenWatchOfAForeignClientset(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"once": 1, "for an hour": 3600} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				client, log, ended := startStep(w, "worker", 15*time.Minute)
				require.NoError(t, client.Healthy())
				stop := make(chan struct{})
				go func() {
					defer close(stop)
					for range times { // also those that are opened meanwhile
						w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: "worker"})
						w.Sleep(time.Second)
					}
				}()
				w.Sleep(130 * time.Second)
				require.ErrorContains(t, client.Healthy(), "nothing came from the API server")
				<-stop
				over := time.Now()
				require.NoError(t, <-ended)
				require.Less(t, time.Since(over), 6*time.Minute)
				w.Sleep(4 * time.Minute)
				require.NoError(t, client.Healthy())
				require.Contains(t, log.Warnings(), "nothing came from the API server")
				require.Zero(t, w.StopClient(client))
			})
		})
	}
}

// TestSilentFakeClientset: client-go's fake sends no bookmarks and ends no watch. A day
// of silence is neither unhealthy nor a reason to read anything again.
func TestSilentFakeClientset(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		clientset := fake.NewClientset()
		client, err := kontinue.New(kontinue.Config{Clientset: clientset, Namespace: "ns"})
		require.NoError(t, err)
		require.NoError(t, client.Start(w.Context()))
		requests := len(clientset.Actions())
		for range 24 * 60 {
			w.Sleep(time.Minute)
			require.NoError(t, client.Healthy())
		}
		require.Len(t, clientset.Actions(), requests)
		require.NoError(t, client.Stop(context.Background()))
	})
}
