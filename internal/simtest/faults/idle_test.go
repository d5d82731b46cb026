package faults_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// TestWaitingCostsNoRequest lets a step run for a day, which must cost one create
// and one patch. Watches are not counted: they are the informers', which open them
// again every few minutes.
func TestWaitingCostsNoRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := fakecluster.New(fakecluster.Options{APIServer: apiserver.Options{User: "worker"}})
		require.NoError(t, cluster.Start(t.Context()))
		defer cluster.Stop()
		cluster.On(containers.Match{}, containers.Script{Run: 24 * time.Hour})
		client, err := kontinue.New(kontinue.Config{RESTConfig: cluster.Config(), Namespace: "ns", SkipPreflight: true})
		require.NoError(t, err)
		require.NoError(t, client.Start(t.Context()))
		defer func() { require.NoError(t, client.Stop(context.Background())) }()
		owner, err := cluster.CreateOwner(t.Context(), "ns", "patience")
		require.NoError(t, err)
		ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner})
		require.NoError(t, err)

		began := time.Now()
		r, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Timeout: 48 * time.Hour}, Image: "alpine:3", Command: "sleep 86400",
		})
		require.NoError(t, err)
		require.True(t, r.Succeeded(), r.Message)
		require.GreaterOrEqual(t, time.Since(began), 24*time.Hour)
		stats := cluster.APIServer().Stats()
		require.Equal(t, 1, stats.Count("worker", "create", ""))
		require.Equal(t, 1, stats.Count("worker", "patch", ""))
		require.Zero(t, stats.Count("worker", "get", ""))
		require.Equal(t, 2, stats.Count("worker", "list", ""))
	})
}
