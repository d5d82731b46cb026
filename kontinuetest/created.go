package kontinuetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/identity"
)

// Jobs returns the Jobs that were created for the Execution in the order of their creation.
// Those that were deleted are among them, in their last state.
func (c *Cluster) Jobs(execution kontinue.Execution) []batchv1.Job { return c.cluster.Jobs(execution) }

// Job returns the last Job that was created for a step of the Execution, in its present state
// or, if it was deleted, its last one. It fails the test if there was none.
func (c *Cluster) Job(execution kontinue.Execution, step string) *batchv1.Job {
	c.t.Helper()
	all := c.Jobs(execution)
	for i := range slices.Backward(all) {
		if identity.MetadataOf(&all[i]).Step == step {
			return &all[i]
		}
	}
	require.FailNow(c.t, fmt.Sprintf("step %q has no Job; %s", step, created(all)))
	return nil
}

// RequireJobs requires that the Execution has created exactly these Jobs, in any order: one
// for each name of a step in the list. Deleted ones count, and a step that has run again is
// named again. So it proves that nothing ran twice, for example after a [Cluster.Crash].
func (c *Cluster) RequireJobs(execution kontinue.Execution, steps ...string) {
	c.t.Helper()
	all := c.Jobs(execution)
	require.Equal(c.t, slices.Sorted(slices.Values(steps)), slices.Sorted(slices.Values(stepsOf(all))), created(all))
}

// Requests returns how many requests the program under test has made with that verb and
// resource ("create", "jobs"); an empty one means any. A watch is one request.
func (c *Cluster) Requests(verb, resource string) int {
	c.t.Helper()
	n, err := c.cluster.Requests(verb, resource)
	require.NoError(c.t, err)
	return n
}

func stepsOf(all []batchv1.Job) []string {
	steps := make([]string, 0, len(all))
	for i := range all {
		steps = append(steps, identity.MetadataOf(&all[i]).Step)
	}
	return steps
}

// created describes the Jobs, for a message.
func created(all []batchv1.Job) string {
	if len(all) == 0 {
		return "no Job was created"
	}
	var lines []string
	for i := range all {
		meta := identity.MetadataOf(&all[i])
		lines = append(lines, fmt.Sprintf("\n\tJob %s of step %q, attempt %d", all[i].Name, meta.Step, meta.Attempt))
	}
	return "created were:" + strings.Join(lines, "")
}
