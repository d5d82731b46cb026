package jobs_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
)

// Records of attempt 0.
const (
	goodRecord = `{"v":1,"attempt":0,"succeededPods":1,"pods":null}`
	badRecord  = `{"v":1,"attempt":0,"failed":true,"pods":null}`
)

// retried returns the request of a later attempt.
func retried(r *jobs.Request) { r.Attempt = 1 }

// second returns run 1 of the step, created in attempt 1.
func second(t *testing.T, change ...func(*batchv1.Job)) *batchv1.Job {
	t.Helper()
	job := build(t, retried, func(r *jobs.Request) { r.Run = 1 })
	job.UID = "second"
	for _, c := range change {
		c(job)
	}
	return job
}

// TestAcquireCached: a Job in the cache exists, and costs no request.
func TestAcquireCached(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		policy  jobs.Policy
		request *jobs.Request
		cached  []*batchv1.Job
		want    string // UID
	}{
		"running":                    {jobs.None, request(), []*batchv1.Job{live(t)}, "live"},
		"ended":                      {jobs.None, request(), []*batchv1.Job{live(t, ends(batchv1.JobFailed))}, "live"},
		"running, RetryFailed":       {jobs.RetryFailed, request(), []*batchv1.Job{live(t)}, "live"},
		"running, RetryAll":          {jobs.RetryAll, request(), []*batchv1.Job{live(t)}, "live"},
		"running, of attempt 0":      {jobs.RetryFailed, changed(retried), []*batchv1.Job{live(t)}, "live"},
		"of this attempt":            {jobs.RetryAll, changed(retried), []*batchv1.Job{live(t), second(t)}, "second"},
		"failed, given to no one":    {jobs.RetryFailed, changed(retried), []*batchv1.Job{live(t, ends(batchv1.JobFailed))}, "live"},
		"ended, being deleted":       {jobs.None, request(), []*batchv1.Job{live(t, ends(batchv1.JobComplete), beingGone)}, "live"},
		"with a record":              {jobs.None, request(), []*batchv1.Job{live(t, withRecord(badRecord))}, "live"},
		"beside another's":           {jobs.None, request(), []*batchv1.Job{second(t, foreign), live(t)}, "live"},
		"beside a copy made by hand": {jobs.None, request(), []*batchv1.Job{live(t), second(t, func(j *batchv1.Job) { j.Name += "-copy" })}, "live"},
	} {
		c := newCluster()
		client := jobs.NewClient(c, jobs.Options{})
		var cached []jobs.Found
		for _, job := range tc.cached {
			cached = append(cached, found(job))
		}
		got, err := client.Acquire(t.Context(), tc.request, tc.policy, firstRuns(client, tc.request), cached)
		require.NoError(t, err, name)
		require.True(t, got.Adopted, name)
		require.Equal(t, tc.want, string(got.Run.UID), name)
		require.Nil(t, got.Job, name)
		require.Empty(t, got.Drift, name)
		require.Empty(t, c.Actions(), name)
	}
}

// TestAcquireCachedProvesNothingElse: a Job that is not a run of the step is not adopted,
// and the cache does not prove that there is no run.
func TestAcquireCachedProvesNothingElse(t *testing.T) {
	t.Parallel()
	for name, cached := range map[string]*batchv1.Job{
		"another owner":     live(t, foreign),
		"no owner":          live(t, orphan),
		"another name":      live(t, func(j *batchv1.Job) { j.Name = "copy" }),
		"of another step":   build(t, func(r *jobs.Request) { r.Step = "other" }),
		"of another object": build(t, func(r *jobs.Request) { r.Execution.UID, r.Owner.UID = "u-2", "u-2" }),
	} {
		c := newCluster()
		client := jobs.NewClient(c, jobs.Options{})
		got, err := client.Acquire(t.Context(), request(), jobs.None, firstRuns(client, request()), []jobs.Found{found(cached)})
		require.NoError(t, err, name)
		require.False(t, got.Adopted, name)
		require.Equal(t, []int{1, 1}, []int{c.count("create"), len(c.Actions())}, name)
	}
}

// TestAcquireCachedIsOlder: a Job that a list no longer shows is gone, even if the cache
// still has it, as after the error of a step whose Job was deleted.
func TestAcquireCachedIsOlder(t *testing.T) {
	t.Parallel()
	c := newCluster()
	client := jobs.NewClient(c, jobs.Options{})
	got, err := client.Acquire(t.Context(), changed(retried), jobs.None, client.NewRuns(request().Execution, true), []jobs.Found{found(live(t))})
	require.NoError(t, err)
	require.False(t, got.Adopted)
	require.Equal(t, []int{1, 1}, c.counts("list", "create"))

	// A list that is older than the call proves nothing.
	requests, there := steps(t, 2)
	c = newCluster(there...)
	client = jobs.NewClient(c, jobs.Options{})
	runs := client.NewRuns(request().Execution, true)
	_, err = client.Acquire(t.Context(), requests[0], jobs.None, runs, nil)
	require.NoError(t, err)
	got, err = client.Acquire(t.Context(), changed(retried), jobs.None, runs, []jobs.Found{found(live(t))})
	require.NoError(t, err)
	require.True(t, got.Adopted)
	require.Equal(t, []int{1, 0}, c.counts("list", "create"))
}

// TestAcquireCachedOnResume: in the first attempt a Job that the cache shows needs no
// list either; in a later one there may be a newer run that the cache does not show.
func TestAcquireCachedOnResume(t *testing.T) {
	t.Parallel()
	newest := second(t, ends(batchv1.JobFailed), withRecord(badRecord))
	for name, tc := range map[string]struct {
		request *jobs.Request
		cached  *batchv1.Job
		want    string
		lists   int
	}{
		"first attempt":                   {request(), live(t), "live", 0},
		"first attempt, ended":            {request(), live(t, ends(batchv1.JobComplete)), "live", 0},
		"first attempt, being deleted":    {request(), live(t, beingGone), "second", 1},
		"first attempt, with a record":    {request(), live(t, withRecord(goodRecord)), "second", 1},
		"first attempt, of another owner": {request(), live(t, foreign), "second", 1},
		"second attempt":                  {changed(retried), live(t), "second", 1},
	} {
		c := newCluster(live(t), newest)
		client := jobs.NewClient(c, jobs.Options{})
		got, err := client.Acquire(t.Context(), tc.request, jobs.RetryFailed, client.NewRuns(request().Execution, true), []jobs.Found{found(tc.cached)})
		require.NoError(t, err, name)
		require.Equal(t, tc.want, string(got.Run.UID), name)
		require.Equal(t, []int{tc.lists, tc.lists}, []int{c.count("list"), len(c.Actions())}, name)
	}
}

// TestAcquireCachedDrift: only a Job that was created from another spec is read.
func TestAcquireCachedDrift(t *testing.T) {
	t.Parallel()
	other := func(r *jobs.Request) { r.Spec.Template.Spec.Containers[0].Image = "b" }
	c := newCluster(live(t))
	client := jobs.NewClient(c, jobs.Options{})
	got, err := client.Acquire(t.Context(), changed(other), jobs.None, firstRuns(client, request()), []jobs.Found{found(live(t))})
	require.NoError(t, err)
	require.Equal(t, []string{"template.spec.containers[0].image: alpine:3.19 -> b"}, got.Drift)
	require.Equal(t, []int{1, 1}, []int{c.count("get"), len(c.Actions())})

	c = newCluster() // deleted since
	client = jobs.NewClient(c, jobs.Options{})
	_, err = client.Acquire(t.Context(), changed(other), jobs.None, firstRuns(client, request()), []jobs.Found{found(live(t))})
	require.ErrorIs(t, err, jobs.ErrJobDeleted)
}

// TestAcquirePlansAnew: a run that the cache did not show has the name.
func TestAcquirePlansAnew(t *testing.T) {
	t.Parallel()
	oom := func(rec record.Record) bool { return rec.SucceededPods > 0 }
	for name, tc := range map[string]struct {
		policy jobs.Policy
		there  []runtime.Object
		failed func(record.Record) bool
		want   int // run number
		adopts bool
		sent   []int // creates, lists and others
	}{
		"running":                          {jobs.RetryFailed, []runtime.Object{live(t)}, nil, 0, true, []int{1, 1, 0}},
		"succeeded":                        {jobs.RetryFailed, []runtime.Object{live(t, ends(batchv1.JobComplete), withRecord(goodRecord))}, nil, 0, true, []int{1, 1, 0}},
		"failed":                           {jobs.RetryFailed, []runtime.Object{live(t, ends(batchv1.JobFailed), withRecord(badRecord))}, nil, 1, false, []int{2, 1, 0}},
		"failed, policy None":              {jobs.None, []runtime.Object{live(t, ends(batchv1.JobFailed), withRecord(badRecord))}, nil, 0, true, []int{1, 1, 0}},
		"succeeded, policy RetryAll":       {jobs.RetryAll, []runtime.Object{live(t, ends(batchv1.JobComplete), withRecord(goodRecord))}, nil, 1, false, []int{2, 1, 0}},
		"the record alone says failed":     {jobs.RetryFailed, []runtime.Object{live(t, ends(batchv1.JobComplete), withRecord(badRecord))}, nil, 1, false, []int{2, 1, 0}},
		"the record alone says succeeded":  {jobs.RetryFailed, []runtime.Object{live(t, ends(batchv1.JobFailed), withRecord(goodRecord))}, nil, 0, true, []int{1, 1, 0}},
		"failed, as the caller reads it":   {jobs.RetryFailed, []runtime.Object{live(t, ends(batchv1.JobComplete), withRecord(goodRecord))}, oom, 1, false, []int{2, 1, 0}},
		"failed, and the next one running": {jobs.RetryFailed, []runtime.Object{live(t, ends(batchv1.JobFailed), withRecord(badRecord)), second(t)}, nil, 1, true, []int{1, 1, 0}},
		"failed twice": {
			jobs.RetryFailed, []runtime.Object{
				live(t, ends(batchv1.JobFailed), withRecord(badRecord)),
				second(t, ends(batchv1.JobFailed), withRecord(badRecord), func(j *batchv1.Job) { j.Spec.Template.Annotations[identity.AnnotationAttempt] = "0" }),
			}, nil, 2, false, []int{2, 1, 0},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(tc.there...)
			client := jobs.NewClient(c, jobs.Options{})
			r := changed(retried, func(r *jobs.Request) { r.Failed = tc.failed })
			start := time.Now()
			got, err := client.Acquire(t.Context(), r, tc.policy, firstRuns(client, r), nil)
			require.NoError(t, err, name)
			require.Equal(t, tc.adopts, got.Adopted, name)
			require.Equal(t, tc.want, got.Run.Number, name)
			require.Equal(t, identity.JobName(r.Execution, "helm", tc.want), got.Run.Name, name)
			creates, lists := c.count("create"), c.count("list")
			sent := []int{creates, lists, len(c.Actions()) - creates - lists}
			require.Equal(t, tc.sent, sent, name)
			require.Zero(t, time.Since(start), name)
			if !tc.adopts {
				require.Equal(t, 1, got.Run.Attempt, name)
				require.Equal(t, 1, identity.MetadataOf(got.Job).Attempt, name)
				require.Len(t, c.jobsNow(), len(tc.there)+1, "%s: the others stay", name)
			}
		})
	}
}

// TestAcquireConflictOfARun: a run other than the first belongs to another worker group,
// or its name to another owner's object.
func TestAcquireConflictOfARun(t *testing.T) {
	t.Parallel()
	failed := live(t, ends(batchv1.JobFailed), withRecord(badRecord))
	for name, tc := range map[string]struct {
		there  []runtime.Object
		cached []jobs.Found
		text   string
	}{
		"another group, listed":       {[]runtime.Object{live(t, inOther)}, nil, `worker group "green", not "blue"`},
		"another group, ended":        {[]runtime.Object{live(t, inOther, ends(batchv1.JobFailed), withRecord(badRecord))}, nil, `worker group "green", not "blue"`},
		"another group, an older one": {[]runtime.Object{live(t, inOther, ends(batchv1.JobFailed), withRecord(badRecord)), second(t)}, nil, `worker group "green", not "blue"`},
		"another group, cached":       {[]runtime.Object{live(t, inOther)}, []jobs.Found{found(live(t, inOther))}, `worker group "green", not "blue"`},
		"another owner's":             {[]runtime.Object{failed, second(t, foreign)}, nil, "owned by Execution deploy (UID someone)"},
		"no owner":                    {[]runtime.Object{failed, second(t, orphan)}, nil, "no controller owner"},
	} {
		c := newCluster(tc.there...)
		client := jobs.NewClient(c, jobs.Options{})
		r := changed(retried)
		_, err := client.Acquire(t.Context(), r, jobs.RetryFailed, client.NewRuns(r.Execution, tc.cached == nil), tc.cached)
		require.ErrorIs(t, err, jobs.ErrNameConflict, name)
		require.ErrorContains(t, err, tc.text, name)
		require.Zero(t, c.count("delete")+c.count("patch")+c.count("update"), "%s: it is not touched", name)
		require.Len(t, c.jobsNow(), len(tc.there), name)
	}
}

// TestAcquireByName: a Job that no LIST of the Execution shows still has its name.
func TestAcquireByName(t *testing.T) {
	t.Parallel()
	for name, labels := range map[string][]string{
		"execution":  {identity.LabelExecutionUID},
		"managed-by": {identity.LabelManagedBy},
		"both":       {identity.LabelManagedBy, identity.LabelExecutionUID, identity.LabelStep},
	} {
		for _, resumed := range []bool{false, true} {
			there := live(t, func(j *batchv1.Job) {
				for _, l := range labels {
					delete(j.Labels, l)
				}
			})
			c := newCluster(there)
			client := jobs.NewClient(c, jobs.Options{})
			got, err := client.Acquire(t.Context(), request(), jobs.None, client.NewRuns(request().Execution, resumed), nil)
			require.NoError(t, err, name)
			require.True(t, got.Adopted, name)
			require.Equal(t, "live", string(got.Run.UID), name)
			lists := 1
			if resumed {
				lists++
			}
			require.Equal(t, []int{1, lists, 1}, c.counts("create", "list", "get"), name)
		}
	}
	// Without the group's label no watch shows the Job.
	c := newCluster(live(t, func(j *batchv1.Job) { j.Labels = nil }))
	_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
	require.ErrorIs(t, err, jobs.ErrNameConflict)
	require.ErrorContains(t, err, `worker group "", not "blue"`)
}

// TestAcquireRemovesLabel: a Job without a readable record needs the watch, which does not
// show Jobs with the label.
func TestAcquireRemovesLabel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(*batchv1.Job)
		removed bool
	}{
		"no record":           {func(j *batchv1.Job) { j.Labels[identity.LabelRecorded] = "true" }, true},
		"another value":       {func(j *batchv1.Job) { j.Labels[identity.LabelRecorded] = "" }, true},
		"not readable":        {withRecord(unreadable), true},
		"of a later version":  {withRecord(newer), true},
		"readable":            {withRecord(goodRecord), false},
		"readable, not ended": {withRecord(badRecord), false},
		"no label":            {func(*batchv1.Job) {}, false},
	} {
		there := live(t, tc.change)
		c := newServer(0, there)
		client := jobs.NewClient(c, jobs.Options{})
		got, err := client.Acquire(t.Context(), request(), jobs.None, client.NewRuns(request().Execution, true), nil)
		require.NoError(t, err, name)
		require.True(t, got.Adopted, name)
		require.Equal(t, !tc.removed && name != "no label", got.Run.Recorded, name)
		stored := c.jobsNow()[0]
		if !tc.removed {
			require.Zero(t, c.count("patch"), name)
			require.Equal(t, there.Labels, stored.Labels, name)
			continue
		}
		require.Equal(t, 1, c.count("patch"), name)
		require.NotContains(t, stored.Labels, identity.LabelRecorded, name)
		require.Equal(t, there.Annotations, stored.Annotations, "%s: the record is left", name)
	}

	for name, tc := range map[string]struct {
		answer error
		want   error
	}{
		"deleted meanwhile": {errNotFound, nil}, // the wait for it sees that
		"refused":           {errDenied, errDenied},
	} {
		c := newServer(0, live(t, withRecord(unreadable)))
		c.fail("patch", tc.answer)
		client := jobs.NewClient(c, jobs.Options{})
		_, err := client.Acquire(t.Context(), request(), jobs.None, client.NewRuns(request().Execution, true), nil)
		require.ErrorIs(t, err, tc.want, name)
	}
}

// TestAcquireChangedByWebhook: the created Job is not a run of the step.
func TestAcquireChangedByWebhook(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*batchv1.Job){
		"no owner": orphan, "another owner": foreign, "another name": func(j *batchv1.Job) { j.Name = "x" },
	} {
		c := newCluster()
		c.PrependReactor("create", "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
			job := a.(ktesting.CreateAction).GetObject().(*batchv1.Job).DeepCopy()
			change(job)
			return true, job, nil
		})
		_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorContains(t, err, "does an admission webhook change them?", name)
		require.ErrorContains(t, err, "ns/"+jobName, name)
	}
}

// TestAcquireFight: another client deletes each planned run, and creates another one.
func TestAcquireFight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newServer(0)
		c.answer("create", func(int, ktesting.Action) error {
			_ = c.Tracker().Add(live(t)) // of attempt 0
			return apierrors.NewAlreadyExists(resource, jobName)
		})
		client := jobs.NewClient(c, jobs.Options{})
		_, err := client.Acquire(t.Context(), changed(retried), jobs.RetryAll, firstRuns(client, request()), nil)
		require.ErrorContains(t, err, `step "helm" of execution ns/deploy: its Jobs changed 50 times`)
		require.Less(t, c.count("create"), 51)
	})
}
