package jobs_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// TestAcquireFromAnOldList: the first step of a function has read the runs, and others have
// deleted that of the second step since. Another worker may have created it again.
func TestAcquireFromAnOldList(t *testing.T) {
	t.Parallel()
	failed := []func(*batchv1.Job){ends(batchv1.JobFailed), withRecord(badRecord)}
	again := live(t, func(j *batchv1.Job) {
		j.UID = "again"
		j.Annotations[identity.AnnotationAttempt], j.Spec.Template.Annotations[identity.AnnotationAttempt] = "2", "2"
	})
	for name, tc := range map[string]struct {
		listed *batchv1.Job
		now    runtime.Object // under its name
		adopts bool
		want   int // the run
		sent   []int
	}{
		"it is there":                  {live(t, failed...), live(t, failed...), false, 1, []int{1, 0, 1}},
		"deleted":                      {live(t, failed...), nil, false, 0, []int{1, 1, 1}},
		"deleted and created again":    {live(t, failed...), again, true, 0, []int{0, 1, 1}},
		"another group's, and deleted": {live(t, inOther), nil, false, 0, []int{1, 0, 1}},
		"another group's before":       {live(t, inOther), again, true, 0, []int{0, 0, 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(tc.listed)
			client := jobs.NewClient(c, jobs.Options{})
			r := changed(retried)
			runs := client.NewRuns(r.Execution, true)
			_, err := client.Acquire(t.Context(), changed(retried, func(r *jobs.Request) { r.Step = "other" }), jobs.RetryFailed, runs, nil)
			require.NoError(t, err, name)
			gvr := batchv1.SchemeGroupVersion.WithResource("jobs")
			require.NoError(t, c.Tracker().Delete(gvr, "ns", tc.listed.Name), name)
			if tc.now != nil {
				require.NoError(t, c.Tracker().Create(gvr, tc.now, "ns"), name)
			}
			c.ClearActions()
			got, err := client.Acquire(t.Context(), r, jobs.RetryFailed, runs, nil)
			require.NoError(t, err, name)
			require.Equal(t, tc.adopts, got.Adopted, name)
			require.Equal(t, tc.want, got.Run.Number, name)
			sent := []int{c.count("create"), c.count("list"), c.count("get")}
			require.Equal(t, tc.sent, sent, name)
		})
	}
}
