package step

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestRecordIsAtMost16KiB, whatever a controller writes into the Job's condition.
func TestRecordIsAtMost16KiB(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", `"`, "<", "é", "\u2028"} {
		var v state
		status := ended(batchv1.JobFailed, 0, 300)
		status.Conditions[0].Reason, status.Conditions[0].Message = strings.Repeat(text, 2000), strings.Repeat(text, 2000)
		v.apply(Event{job: testJob(9, status)})
		for i := range 300 {
			v.apply(Event{pod: testPod(fmt.Sprintf("pod-%03d", i), 1, corev1.PodFailed, 1, false)})
		}
		record, err := v.outcome(0, time.Time{}).encode()
		require.NoError(t, err)
		require.LessOrEqual(t, len(record), 16*1024)
		require.Greater(t, len(record), 15*1024, "no more is left out than needed")
	}
}
