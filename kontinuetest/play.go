package kontinuetest

import (
	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/devcluster"
)

// Play defines what the containers of a step do. It is created by [Job]. Its methods
// modify and return it, so that calls can be chained; pass it to [Cluster.Play] last.
type Play = devcluster.Play

// Job returns a new play for the step with the given name; the first unnamed step is
// "step-1", and an empty name means every step. Calls apply to the main containers
// of the pod until [Play.Container] selects another one.
func Job(step string) *Play { return devcluster.Job(step) }

// Play adds plays to the cluster. If several match a container, the last one added
// is used. Each restart of a container, and each start in another pod of the Job,
// advances to the script after the next [Play.Then].
func (c *Cluster) Play(plays ...*Play) {
	c.t.Helper()
	require.NoError(c.t, c.cluster.Play(plays...))
}
