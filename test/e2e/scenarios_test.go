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
		if t.Failed() || shared.own == nil || !scenarios.RecordedVersion(shared.version) {
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
	summary.check(t)
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
	seen    scenarios.Record
	checks  map[string]string // the results of other tests, by name
	orders  []string          // cases of TestEndings with another order than that of the record
}

// scenarios adds a summary of the scenarios.
func (r *report) scenarios(seen scenarios.Record, took time.Duration) {
	var lacking, slowest []string
	for name, facts := range seen {
		if facts.Lacks != "" {
			lacking = append(lacking, fmt.Sprintf("not applicable: %s: %s", name, facts.Lacks))
			continue
		}
		slowest = append(slowest, fmt.Sprintf("%6.1f s %s", facts.Seconds, name))
	}
	slices.Sort(slowest)
	slices.Reverse(slowest)
	slices.Sort(lacking)
	r.seen = seen
	r.lines = append(append(r.lines,
		fmt.Sprintf("%d scenarios ran in %s, %d are not applicable", len(slowest), took.Round(time.Second), len(lacking)),
		"the slowest steps: "+strings.Join(slowest[:min(5, len(slowest))], ",")), lacking...)
}

// check notes the result of a test when it has ended.
func (r *report) check(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if r.checks == nil {
			r.checks = map[string]string{}
		}
		r.checks[t.Name()] = "passed"
		if t.Failed() {
			r.checks[t.Name()] = "failed"
		}
	})
}

// save records the run if it is asked for.
func (r *report) save() error {
	if os.Getenv(scenarios.UpdateVersionsEnv) == "" {
		return nil
	}
	run, err := scenarios.NewVersionRun(shared.version, r.seen)
	if err != nil {
		return err
	}
	run.Checks = r.checks
	slices.Sort(r.orders)
	if run.Orders = r.orders; run.Orders == nil && r.checks["TestEndings"] != "" {
		run.Orders = []string{} // it ran, and found none
	}
	return run.Save()
}

func (r *report) print() {
	fmt.Fprintln(os.Stderr, r.cluster)
	for _, line := range r.lines {
		fmt.Fprintln(os.Stderr, line)
	}
}
