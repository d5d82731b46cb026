package simulate

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// setting returns a number from the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// TestSeeds carries out SEEDS plans from seed FIRST, and logs the sums. TestSeed replays
// one that fails.
func TestSeeds(t *testing.T) {
	t.Parallel()
	var totals Totals
	t.Cleanup(func() { t.Log(&totals) })
	first := setting(t, "FIRST", 1)
	for seed := first; seed < first+setting(t, "SEEDS", seeds); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			h, violations := Run(t, NewPlan(seed))
			for _, v := range violations {
				t.Errorf("seed %d: %s", seed, v)
			}
			require.NotNil(t, h)
			require.NotEmpty(t, h.calls)
			totals.Add(h)
		})
	}
}

// TestSeed carries out the plan of SEED. If it is set, plan and history are printed: of
// the steps whose invariants are violated, or of all.
func TestSeed(t *testing.T) {
	t.Parallel()
	p := NewPlan(setting(t, "SEED", 1))
	h, violations := Run(t, p)
	if os.Getenv("SEED") != "" {
		t.Log(p)
		for _, v := range violations {
			t.Logf("%s\n%s", v, h.Of(v))
		}
		if len(violations) == 0 {
			t.Log(h.Of(Violation{}))
		}
	}
	require.Empty(t, violations)
}
