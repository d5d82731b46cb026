package kill

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

func TestMain(m *testing.M) {
	if code, is := Worker(); is {
		os.Exit(code)
	}
	// The second handler limits error reporting to one a millisecond.
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1]
	goleak.VerifyTestMain(m)
}

// TestKilledWorkers is a short run of what the driver does.
func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	var progress bytes.Buffer
	report, err := Run(t.Context(), Options{Kills: 20, Undisturbed: 2, Reattach: 50, Progress: &progress})
	require.NoError(t, err, progress.String())
	report.Print(os.Stdout)
	require.False(t, report.Failed(), report.Findings.Cases())
	require.GreaterOrEqual(t, report.Kills, 20)
	require.Positive(t, report.Jobs)
	require.Positive(t, report.Overlapping)
	// The budget of a step: one create, one record and no read.
	require.Equal(t, 10, report.Requests.Undisturbed.Jobs)
	require.Equal(t, 2, report.Requests.Undisturbed.MostWrites)
	require.Zero(t, report.Requests.Undisturbed.Reads)
	require.Equal(t, 50, report.Reattach.Steps)
}
