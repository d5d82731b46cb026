package devcluster

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/identity"
)

// TestLedgerIsBounded: of the Jobs that were deleted the last ones are kept, and of the
// others all.
func TestLedgerIsBounded(t *testing.T) {
	t.Parallel()
	const jobs = 5 * maxGone // of which every second one is deleted
	l := newLedger()
	l.note(apiserver.Write{New: &corev1.Pod{}})
	for i := range jobs {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			UID: types.UID(fmt.Sprint("job-", i)), Labels: map[string]string{identity.LabelExecutionUID: "e", identity.LabelStep: "s"},
		}}
		l.note(apiserver.Write{New: job})
		l.note(apiserver.Write{Old: job, New: job})
		if i%2 == 0 {
			continue
		}
		l.note(apiserver.Write{Old: job})
	}
	require.Less(t, l.gone, jobs/2)
	require.LessOrEqual(t, l.gone, 2*maxGone)
	require.GreaterOrEqual(t, l.gone, maxGone)
	kept := l.of("e")
	require.Len(t, kept, l.gone+jobs/2)
	require.Len(t, l.byUID, len(kept))
	last := kept[len(kept)-1].UID
	require.Equal(t, types.UID(fmt.Sprint("job-", jobs-1)), last)
	require.Equal(t, jobs-1, l.retry(last))
	require.Zero(t, l.retry("unknown"))
}
