package jobs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// live is the Job as an earlier worker left it in the cluster.
func live(t *testing.T, change ...func(*batchv1.Job)) *batchv1.Job {
	t.Helper()
	job := build(t)
	job.UID = "live"
	for _, c := range change {
		c(job)
	}
	return job
}

func foreign(j *batchv1.Job) { j.OwnerReferences[0].UID = "someone" }
func orphan(j *batchv1.Job)  { j.OwnerReferences = nil }
func inOther(j *batchv1.Job) { j.Labels["kontinue.cloud/worker-group"] = "green" }
func beingGone(j *batchv1.Job) {
	j.DeletionTimestamp, j.Finalizers = new(metav1.Now()), []string{"foregroundDeletion"}
}

// TestAcquireInvalid: nothing is sent.
func TestAcquireInvalid(t *testing.T) {
	t.Parallel()
	c := newCluster()
	_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(func(r *jobs.Request) { r.Step = "" }))
	require.ErrorIs(t, err, jobs.ErrInvalid)
	require.Empty(t, c.Actions())
}

func TestAcquireCreates(t *testing.T) {
	t.Parallel()
	c := newCluster()
	r := request()
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), r)
	require.NoError(t, err)
	require.Equal(t, "job-1", string(got.Job.UID))
	got.Run.Contents = 0
	require.Equal(t, jobs.Run{
		Name: build(t).Name, UID: "job-1", Group: "blue", SpecHash: identity.SpecHash(&request().Spec),
	}, got.Run)
	require.False(t, got.Adopted)
	require.Empty(t, got.Drift)
	require.Len(t, c.Actions(), 1, "one write and no read")
	require.Equal(t, request(), r, "the argument is not changed")
}

// TestAcquireAdopts: an existing Job is found whichever response hides it.
func TestAcquireAdopts(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"already exists": errExists, "EOF": errEOF, "timeout": errTimeout, "429 of a webhook": errBusyHook,
		"webhook down": errWebhook, "quota used up by this very Job": errQuota, "webhook denies": errDenied,
		"rbac": errRBAC, "invalid under stricter rules": errInvalid, "namespace terminating": errTerminating(),
		"unknown": errors.New("http2: client connection lost"),
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(live(t))
			c.fail("create", answer)
			start := time.Now()
			got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
			require.NoError(t, err, name)
			require.True(t, got.Adopted, name)
			require.Equal(t, "live", string(got.Run.UID), name)
			require.Empty(t, got.Drift, name)
			// Only AlreadyExists proves that there is one: the runs are listed then.
			sent := []int{1, 0, 1}
			if apierrors.IsAlreadyExists(answer) {
				sent = []int{1, 1, 0}
			}
			require.Equal(t, sent, c.counts("create", "list", "get"), name)
			require.Zero(t, time.Since(start), name)
		})
	}
}

// TestAcquireAdoptsAfterOverload: a create that an overloaded server rejects is sent
// again, and fails with AlreadyExists.
func TestAcquireAdoptsAfterOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(live(t))
		c.fail("create", errTooMany, errTooMany)
		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.NoError(t, err)
		require.True(t, got.Adopted)
		require.Equal(t, "live", string(got.Run.UID))
		require.Equal(t, []int{3, 1, 0}, c.counts("create", "list", "get"))
	})
}

// TestAcquireLostAnswer: the create took effect and its response was dropped.
func TestAcquireLostAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster()
	c.answer("create", func(_ int, a ktesting.Action) error {
		require.NoError(t, c.commit(a))
		return errEOF
	})
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
	require.NoError(t, err)
	require.True(t, got.Adopted)
	require.Equal(t, "committed", string(got.Run.UID))
	require.Equal(t, 1, c.count("create"))
}

// TestAcquireLateCommit: the create takes effect after the lookup of the Job. The fixed
// name makes the second create find it.
func TestAcquireLateCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		var first ktesting.Action
		c.answer("create", func(n int, a ktesting.Action) error {
			if n == 1 {
				first = a
				return errEOF
			}
			require.NoError(t, c.commit(first))
			return nil
		})
		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.NoError(t, err)
		require.True(t, got.Adopted)
		require.Equal(t, []int{2, 0, 2}, c.counts("create", "list", "get"))
	})
}

func TestAcquireContextEnds(t *testing.T) {
	t.Parallel()
	cause := errors.New("worker shuts down")
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.answer("create", func(int, ktesting.Action) error { return errWebhook })
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(cause) })
		start := time.Now()
		_, err := acquire(ctx, jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, errWebhook, "the last answer is kept")
		require.ErrorContains(t, err, "a resume will find it")
		require.Equal(t, 3*time.Second, time.Since(start), "it ends with the context, not with the pause")
	})
	synctest.Test(t, func(t *testing.T) {
		// The context ends during the create, whose response is not waited for.
		c := newCluster()
		ctx, cancel := context.WithCancelCause(t.Context())
		c.answer("create", func(int, ktesting.Action) error {
			cancel(cause)
			return errEOF
		})
		_, err := acquire(ctx, jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorIs(t, err, cause)
		require.ErrorContains(t, err, "a resume will find it")
		require.Equal(t, 1, c.count("create"))
	})
	c := newCluster()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := acquire(ctx, jobs.NewClient(c, jobs.Options{}), request())
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "job ns/"+build(t).Name)
	require.NotContains(t, err.Error(), "a resume will find it")
	require.Empty(t, c.Actions(), "nothing is sent with a context that has ended")
}

func TestAcquireNameConflict(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change []func(*batchv1.Job)
		text   string
	}{
		"another owner":             {[]func(*batchv1.Job){foreign}, "owned by Execution deploy (UID someone)"},
		"no owner":                  {[]func(*batchv1.Job){orphan}, "no controller owner"},
		"owner is not a controller": {[]func(*batchv1.Job){func(j *batchv1.Job) { j.OwnerReferences[0].Controller = nil }}, "no controller owner"},
		"another, being deleted":    {[]func(*batchv1.Job){foreign, beingGone}, "owned by"},
		"another worker group":      {[]func(*batchv1.Job){inOther}, `worker group "green", not "blue"`},
	} {
		c := newCluster(live(t, tc.change...))
		_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorIs(t, err, jobs.ErrNameConflict, name)
		require.ErrorContains(t, err, tc.text, name)
		require.Zero(t, c.count("delete")+c.count("patch")+c.count("update"), "%s: it is not touched", name)

		// The lookup after a lost response has found another owner's Job, so ours does not
		// exist.
		c.fail("create", errEOF)
		_, err = acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorIs(t, err, jobs.ErrNameConflict, name)
		require.NotContains(t, err.Error(), "a resume will find it", name)
	}
}

func TestAcquireWaitsOutDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := live(t, beingGone)
		c := newCluster(old)
		c.fail("get", nil, errEOF, errTooMany) // while it waits
		gone := time.AfterFunc(5*time.Minute, func() {
			_ = c.Tracker().Delete(batchv1.SchemeGroupVersion.WithResource("jobs"), "ns", old.Name)
		})
		defer gone.Stop()
		start := time.Now()
		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{RetryFor: time.Second}), request())
		require.NoError(t, err)
		require.False(t, got.Adopted)
		require.Equal(t, "job-2", string(got.Job.UID), "the first create met the old one")
		took := time.Since(start)
		require.GreaterOrEqual(t, took, 5*time.Minute, "a deletion may take longer than a retry")
		require.Less(t, took, 5*time.Minute+4*time.Second, "the wait is polled often enough")
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(live(t, beingGone))
		_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{GoneFor: time.Minute}), request())
		require.ErrorContains(t, err, "still being deleted; finalizers: foregroundDeletion")
		require.ErrorContains(t, err, "gave up after")

		c.fail("get", errRBACGet)
		start := time.Now()
		_, err = acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorIs(t, err, errRBACGet)
		require.Zero(t, time.Since(start), "a refusal is not waited out")
	})
}

// TestAcquireTwoWorkers: both get the same Job, and one of them adopts it.
func TestAcquireTwoWorkers(t *testing.T) {
	t.Parallel()
	c := newCluster()
	results := make(chan jobs.Acquired, 2)
	for range 2 {
		go func() {
			got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
			if err != nil {
				t.Errorf("Acquire: %v", err)
			}
			results <- got
		}()
	}
	a, b := <-results, <-results
	require.NotEmpty(t, a.Run.UID)
	require.Equal(t, a.Run, b.Run)
	require.NotEqual(t, a.Adopted, b.Adopted)
}
