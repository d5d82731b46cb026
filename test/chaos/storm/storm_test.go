package storm

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/test/chaos/proxy"
)

// TestStorms is a short run of what the driver does.
func TestStorms(t *testing.T) {
	t.Setenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "2")
	t.Setenv("HTTP2_PING_TIMEOUT_SECONDS", "2")
	progress := &buffer{}
	report, err := Run(t.Context(), Options{Seeds: 3, Progress: progress})
	require.NoError(t, err, progress.String())
	report.Print(os.Stdout)
	require.False(t, report.Failed(), report.Findings.Cases())
	require.Equal(t, 3, report.Seeds)
	require.Equal(t, 120, report.Steps)
	require.Equal(t, 120, report.Jobs)
	require.Len(t, report.Noticed, 120)
	require.Greater(t, report.hits(), 10)
}

// TestSeedRepeatsItsPlan also checks that every kind of fault is drawn eventually.
func TestSeedRepeatsItsPlan(t *testing.T) {
	t.Parallel()
	drawn := map[proxy.Kind]bool{}
	for seed := range uint64(100) {
		plan := drawPlan(rand.New(rand.NewPCG(seed, 6)))
		require.Equal(t, plan, drawPlan(rand.New(rand.NewPCG(seed, 6))))
		var at time.Duration
		for _, next := range plan {
			drawn[next.fault.Kind] = true
			at += next.after
			require.LessOrEqual(t, at+next.fault.For, duration)
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
