package simulate

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

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

// TestSeeds runs SEEDS seeds from FIRST.
func TestSeeds(t *testing.T) {
	t.Parallel()
	first := setting(t, "FIRST", 1)
	for seed := first; seed < first+setting(t, "SEEDS", 200); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			h, violations := Run(t, NewPlan(seed))
			if len(violations) > 0 {
				for _, v := range violations {
					t.Errorf("seed %d: %s", seed, v)
				}
			}
			_ = h
			if os.Getenv("TIMES") != "" {
				t.Log(seed, h.Plan.Theme, time.Since(begun), len(h.calls), len(h.writes), h.End.Sub(h.Begin))
			}
		})
	}
}

// TestSeed replays SEED, and prints its plan and history.
func TestSeed(t *testing.T) {
	t.Parallel()
	p := NewPlan(setting(t, "SEED", 1))
	h, violations := Run(t, p)
	if os.Getenv("SEED") != "" {
		t.Log(p)
		for _, v := range violations {
			t.Log(v)
			t.Log(h.Of(v))
		}
		if len(violations) == 0 {
			t.Log(h.Of(Violation{}))
		}
	}
	require.Empty(t, violations)
}
