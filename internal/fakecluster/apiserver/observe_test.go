package apiserver

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// TestObserver: every write to the store is reported once, in order, with who made it and
// the states before and after; a request that changes nothing is not.
func TestObserver(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	var writes []Write
	undo := s.AddObserver(func(w Write) { writes = append(writes, w) })
	created := createJob(t, c, testJob("a"))
	jobs := s.ClientsetAs("other").BatchV1().Jobs(testNamespace)
	for range 2 { // the second one changes nothing
		_, err := jobs.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	_, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, jobs.Delete(t.Context(), "a", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
	undo()
	createJob(t, c, testJob("b"))

	require.Len(t, writes, 3)
	for i, want := range []struct {
		user, verb string
		kind       watch.EventType
	}{{DefaultUser, "create", watch.Added}, {"other", "patch", watch.Modified}, {"other", "delete", watch.Deleted}} {
		w := writes[i]
		require.Equal(t, want.user, w.User)
		require.Equal(t, want.verb, w.Verb)
		require.Equal(t, want.kind, w.Type)
		require.Equal(t, "jobs", w.Resource)
		require.Equal(t, "a", w.Name)
		require.False(t, w.Time.IsZero())
		if i > 0 {
			require.Greater(t, w.RV, writes[i-1].RV)
			require.Same(t, job(writes[max(0, i-1)].New), job(w.Old), "the state before is the one after the last write")
		}
	}
	require.Equal(t, created.ResourceVersion, formatRV(writes[0].RV))
	require.Equal(t, "y", job(writes[1].New).Labels["x"])
	require.Nil(t, writes[0].Old)
	require.Nil(t, writes[2].New)
}

func job(o any) *batchv1.Job {
	j, _ := o.(*batchv1.Job)
	return j
}
