package report_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// TestFindings checks that every kind is counted separately and fails a run.
func TestFindings(t *testing.T) {
	t.Parallel()
	require.False(t, (&report.Findings{}).Failed())
	kinds := []report.Kind{report.Lost, report.Duplicate, report.Wrong, report.Unhealthy, report.Leak}
	for _, kind := range kinds {
		var f report.Findings
		f.Addf(kind, "step %s", "a")
		require.True(t, f.Failed(), kind)
		require.Equal(t, []string{string(kind) + ": step a"}, f.Cases())
		for _, other := range kinds {
			want := 0
			if other == kind {
				want = 1
			}
			require.Equal(t, want, f.Count(other))
		}
	}
}

// TestManyFindings checks that all are counted and only the first are printed.
func TestManyFindings(t *testing.T) {
	t.Parallel()
	var f report.Findings
	for n := range 100 {
		f.Addf(report.Lost, "step %d", n)
	}
	require.Equal(t, 100, f.Count(report.Lost))
	var b bytes.Buffer
	report.NewTable(&b).Close(&f)
	require.Equal(t, 20, bytes.Count(b.Bytes(), []byte("FINDING: lost: step ")))
}

func TestSpread(t *testing.T) {
	t.Parallel()
	require.Equal(t, "-", report.Spread(nil))
	var d []time.Duration
	for n := range 1000 {
		d = append(d, time.Duration(999-n)*time.Millisecond)
	}
	require.Equal(t, "499ms median, 989ms 99th percentile, 999ms longest", report.Spread(d))
	require.Equal(t, "0s median, 0s 99th percentile, 0s longest", report.Spread([]time.Duration{-time.Second}))
}
