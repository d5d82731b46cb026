package scenarios_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/scenarios"
)

// The page is made from the runs. Set KONTINUE_UPDATE_VERSIONS to write it after an edit of
// a run's file; `make versions` runs the suite.
func TestVersionsAreUpToDate(t *testing.T) {
	t.Parallel()
	have, err := os.ReadFile(scenarios.VersionsPath())
	require.NoError(t, err)
	want, err := scenarios.VersionsDocument(have)
	require.NoError(t, err)
	if os.Getenv(scenarios.UpdateVersionsEnv) != "" {
		require.NoError(t, os.WriteFile(scenarios.VersionsPath(), want, 0o644))
		return
	}
	require.Equal(t, string(want), string(have))
}

// Each scenario has one result in a run, and a reason if it did not pass. The version of the
// record is among the runs and lacks nothing.
func TestVersionRuns(t *testing.T) {
	t.Parallel()
	runs, err := scenarios.ReadVersions()
	require.NoError(t, err)
	recorded := 0
	for _, r := range runs {
		seen := map[string]bool{}
		for _, name := range r.Names() {
			require.False(t, seen[name], "%s has two results of %s", r.Version, name)
			seen[name] = true
		}
		require.Regexp(t, `^20\d\d-\d\d-\d\d$`, r.Date, r.Version)
		require.NotEmpty(t, r.Passed, r.Version)
		for name, reason := range r.NotApplicable {
			require.Regexp(t, `^needs .+, since 1\.\d\d$`, reason, "%s %s", r.Version, name)
		}
		if scenarios.RecordedVersion(r.Version) {
			recorded++
			require.Empty(t, r.NotApplicable, r.Version)
			require.Empty(t, r.Failed, r.Version)
		}
	}
	require.Equal(t, 1, recorded, "the runs of the version of the record")
}

// What a version lacks is decided by its number, also that of a distribution.
func TestLacks(t *testing.T) {
	t.Parallel()
	require.True(t, scenarios.RecordedVersion("v1.37.0-gke.12"))
	require.False(t, scenarios.RecordedVersion("v1.36.3"))
	require.False(t, scenarios.RecordedVersion("main"))
	for _, c := range []struct {
		version string
		need    scenarios.Capability
		want    string
	}{
		{"v1.30.14", scenarios.SuccessPolicy, "needs successPolicy, since 1.31"},
		{"v1.31.0", scenarios.SuccessPolicy, ""},
		{"v1.31.9-eks-1a2b3c", scenarios.ManagedBy, "needs managedBy, since 1.32"},
		{"v1.36.3+k3s1", scenarios.RestartAll, ""},
		{"v1.37.2", scenarios.Images, "images: not there"},
	} {
		s := scenarios.Scenario{Needs: []scenarios.Capability{scenarios.Webhooks, c.need}}
		lacks, err := s.Lacks(versioned{version: c.version})
		require.NoError(t, err)
		require.Equal(t, c.want, lacks, "%s on %s", c.need, c.version)
	}
	_, err := (&scenarios.Scenario{}).Lacks(versioned{version: "unknown"})
	require.ErrorContains(t, err, "unknown")
}

// versioned is a backend of a version, that has no images.
type versioned struct {
	scenarios.Backend
	version string
}

func (versioned) Name() string { return "versioned" }

func (v versioned) Version() string { return v.version }

func (versioned) Lacks(c scenarios.Capability) string {
	if c == scenarios.Images {
		return "not there"
	}
	return ""
}
