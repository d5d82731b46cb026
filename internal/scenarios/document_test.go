package scenarios_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/scenarios"
)

// The document is generated from the records, so a difference means that it is stale.
func TestDocumentIsUpToDate(t *testing.T) {
	t.Parallel()
	want, err := scenarios.Document()
	require.NoError(t, err)
	have, err := os.ReadFile(scenarios.DocumentPath())
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "run the scenarios with %s=1", scenarios.UpdateEnv)
}

// Each record must have every scenario: one that a backend has never run may fail
// there.
func TestRecordsAreComplete(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{scenarios.Memory, scenarios.Real} {
		record, err := scenarios.ReadRecord(backend)
		require.NoError(t, err)
		known := map[string]bool{}
		for _, s := range scenarios.All() {
			known[s.Name] = true
			require.Contains(t, record, s.Name, "backend %s", backend)
			require.Equal(t, s.Shows, record[s.Name].Shows, "backend %s, scenario %s", backend, s.Name)
		}
		for name := range record {
			require.True(t, known[name], "the record of %s has %s, which is not a scenario", backend, name)
		}
	}
}

func TestScenariosAreWellFormed(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, s := range scenarios.All() {
		require.Regexp(t, name, s.Name)
		require.LessOrEqual(t, len("s-"+s.Name), 63, "the namespace of %s", s.Name)
		require.False(t, seen[s.Name], "%s exists twice", s.Name)
		seen[s.Name] = true
		require.NotEmpty(t, s.Shows, s.Name)
		verbs := 0
		for _, set := range []bool{s.Job != nil, s.Pod != nil, s.Script != nil} {
			if set {
				verbs++
			}
		}
		require.Equal(t, 1, verbs, "verbs of %s", s.Name)
	}
}

// TestCompare: scenarios with a race are not compared on the real cluster, whose
// record has one of several possible outcomes. In memory the outcome is
// deterministic, so they are compared.
func TestCompare(t *testing.T) {
	t.Parallel()
	changed := func(backend, name string) error {
		record, err := scenarios.ReadRecord(backend)
		require.NoError(t, err)
		facts := record[name]
		require.NotEmpty(t, facts.Returned)
		facts.Returned += ", or so"
		return scenarios.Compare(backend, record, scenarios.Record{name: facts})
	}
	require.NoError(t, changed(scenarios.Real, "namespace-deleted"))
	require.ErrorContains(t, changed(scenarios.Memory, "namespace-deleted"), "or so")
	require.ErrorContains(t, changed(scenarios.Real, "exit-code"), "or so")
}

// TestConformanceNamesScenarios: each test of Kubernetes has scenarios, or a reason for
// none, and each scenario that is named exists.
func TestConformanceNamesScenarios(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range scenarios.All() {
		known[s.Name] = true
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(scenarios.DocumentPath()), "job-conformance.md"))
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| .* \| (.*) \|$`).FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(rows), 36)
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range rows {
		if row[1] == "scenario" {
			continue // the head of a table
		}
		names := quoted.FindAllStringSubmatch(row[1], -1)
		require.True(t, len(names) > 0 || strings.HasPrefix(row[1], "none: "), row[0])
		for _, name := range names {
			require.True(t, known[name[1]], "%s is not a scenario: %s", name[1], row[0])
		}
	}
}
