package faults

import (
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/test/faults/proxy"
)

// TestStorms is a short run of the driver. It comes before the parallel tests,
// for the environment.
func TestStorms(t *testing.T) {
	t.Setenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "2")
	t.Setenv("HTTP2_PING_TIMEOUT_SECONDS", "2")
	progress := &buffer{}
	report, err := Run(t.Context(), Options{Seeds: 3, Progress: progress})
	require.NoError(t, err, progress.String())
	report.Print(os.Stdout)
	require.False(t, report.Failed(), report.Faults)
	require.Equal(t, 3, report.Seeds)
	require.Equal(t, 120, report.Steps)
	require.Equal(t, 120, report.Jobs)
	require.Len(t, report.Noticed, 120)
	hits := 0
	for _, n := range report.Injected {
		hits += n
	}
	require.Greater(t, hits, 10)
}

// TestSeedRepeatsItsPlan, and draws each kind of fault sooner or later.
func TestSeedRepeatsItsPlan(t *testing.T) {
	t.Parallel()
	drawn := map[proxy.Kind]bool{}
	for seed := range uint64(100) {
		plan := drawStorm(rand.New(rand.NewPCG(seed, 6)))
		require.True(t, reflect.DeepEqual(plan, drawStorm(rand.New(rand.NewPCG(seed, 6)))))
		var takes time.Duration
		for _, g := range plan {
			drawn[g.fault.Kind] = true
			takes += g.after
			require.LessOrEqual(t, takes+g.fault.For, stormTakes)
		}
	}
	require.Len(t, drawn, len(proxy.Kinds))
}

func TestStepNames(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := range 1000 {
		s := drawStep(rnd, n)
		parsed, ok := parseStep(s.name())
		require.True(t, ok)
		require.Equal(t, s, parsed)
	}
	_, ok := parseStep("another-step")
	require.False(t, ok)
}

// TestReportFails for each thing that must not be.
func TestReportFails(t *testing.T) {
	t.Parallel()
	require.False(t, (&Report{Steps: 1}).Failed())
	for _, r := range []Report{{Lost: 1}, {Duplicates: 1}, {Wrong: 1}, {Unhealthy: 1}, {Leaks: 1}} {
		require.True(t, r.Failed())
	}
}
