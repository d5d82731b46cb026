package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/kontinue/kontinue/test/cluster"
)

// startNode starts a cluster of its own for a scenario that kills the node, so that the
// others, which run meanwhile, keep theirs. Its control plane takes a silent node for dead
// within ten seconds and evicts its pods a second later: on a production cluster that
// takes six minutes.
func startNode(t *testing.T) *cluster.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{NodeMonitorGracePeriod: 10 * time.Second, EvictionDelay: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// KillNode kills the node of the scenario's own cluster.
func (c *realCluster) KillNode(ctx context.Context) error { return c.node.KillNode(ctx) }

// RestartNode restarts the node of the scenario's own cluster.
func (c *realCluster) RestartNode(ctx context.Context) error { return c.node.RestartNode(ctx) }
