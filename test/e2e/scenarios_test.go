package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kontinue/kontinue/internal/scenarios"
)

// TestScenarios runs the scenarios on the real cluster.
func TestScenarios(t *testing.T) {
	backend := realBackend{role: workerRole(t)}
	if backend.Lacks(scenarios.Queues) == "" {
		serveWorkloads(t)
	}
	began := time.Now()
	record := scenarios.RunAll(t, backend)
	t.Cleanup(func() {
		seen := record()
		summary.scenarios(seen, time.Since(began))
		if t.Failed() || shared.own == nil {
			return
		}
		// In a cleanup FailNow would suppress the message.
		if err := scenarios.CheckRecord(backend.Name(), seen); err != nil {
			t.Error(err)
		}
	})
}

// TestLeastPrivilege removes each right of deploy/rbac.yaml in turn.
func TestLeastPrivilege(t *testing.T) {
	role, err := scenarios.LoadRole("../../deploy/rbac.yaml")
	require.NoError(t, err)
	scenarios.LeastPrivilege(t, realBackend{role: role}, role)
}

// workerRole has all rights that a worker uses.
func workerRole(t *testing.T) *rbacv1.Role {
	t.Helper()
	role, err := scenarios.LoadRole("../../deploy/rbac.yaml", "../../deploy/rbac-optional.yaml")
	require.NoError(t, err)
	return role
}

// summary is printed when all tests have ended.
var summary report

type report struct {
	cluster string
	lines   []string
}

// scenarios adds a summary of the scenarios.
func (r *report) scenarios(seen scenarios.Record, took time.Duration) {
	var skipped, slowest []string
	ran := 0
	for name, facts := range seen {
		if facts.Lacks != "" {
			skipped = append(skipped, name)
			continue
		}
		ran++
		slowest = append(slowest, fmt.Sprintf("%6.1f s %s", facts.Seconds, name))
	}
	slices.Sort(slowest)
	slices.Reverse(slowest)
	slices.Sort(skipped)
	r.lines = append(r.lines,
		fmt.Sprintf("%d scenarios ran in %s, %d were skipped %s", ran, took.Round(time.Second), len(skipped), strings.Join(skipped, ", ")),
		"the slowest steps: "+strings.Join(slowest[:min(5, len(slowest))], ","))
}

func (r *report) print() {
	fmt.Fprintln(os.Stderr, r.cluster)
	for _, line := range r.lines {
		fmt.Fprintln(os.Stderr, line)
	}
}
