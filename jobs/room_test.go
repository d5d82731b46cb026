package jobs_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// verbs returns the verbs of the requests, with repetitions shown once.
func (c *cluster) verbs() (all []string) {
	for _, a := range c.Actions() {
		all = append(all, a.GetVerb())
	}
	return slices.Compact(all)
}

// TestAcquireReplaces: under RetryAll a run of an earlier attempt is deleted, and gone
// with its pods, before another run gets its number.
func TestAcquireReplaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newServer(time.Minute, live(t))
		var deleted ktesting.DeleteActionImpl
		c.answer("delete", func(_ int, a ktesting.Action) error {
			deleted = a.(ktesting.DeleteActionImpl)
			return nil
		})
		client := jobs.NewClient(c, jobs.Options{})
		r := changed(retried)
		start := time.Now()
		got, err := client.Acquire(t.Context(), r, jobs.RetryAll, client.NewRuns(r.Execution, true), nil)
		require.NoError(t, err)
		require.False(t, got.Adopted)
		got.Run.Contents = 0
		require.Equal(t, jobs.Run{
			Name: jobName, UID: "job-1", Attempt: 1, Group: "blue", SpecHash: identity.SpecHash(&r.Spec),
		}, got.Run, "the same number, another attempt")
		require.Equal(t, "1", got.Job.Spec.Template.Annotations[identity.AnnotationAttempt])
		require.Equal(t, []string{"list", "get", "delete", "get", "list", "create"}, c.verbs())
		require.Equal(t, "live", string(*deleted.DeleteOptions.Preconditions.UID))
		require.GreaterOrEqual(t, time.Since(start), time.Minute, "it is gone before the next is created")
		require.Less(t, time.Since(start), time.Minute+4*time.Second)
	})
}

// TestAcquireReplacesBesideResults: runs that have ended stay, and the new one gets a new
// number.
func TestAcquireReplacesBesideResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newServer(time.Second, live(t, ends(batchv1.JobFailed), withRecord(badRecord)), second(t))
		client := jobs.NewClient(c, jobs.Options{})
		r := changed(func(r *jobs.Request) { r.Attempt = 2 })
		got, err := client.Acquire(t.Context(), r, jobs.RetryAll, client.NewRuns(r.Execution, true), nil)
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, []int{got.Run.Number, got.Run.Attempt})
		require.NotEqual(t, "second", string(got.Run.UID))
		left := map[string]string{}
		for _, job := range c.jobsNow() {
			left[job.Name] = string(job.UID)
		}
		require.Equal(t, map[string]string{jobName: "live", got.Run.Name: string(got.Run.UID)}, left)
	})
}

// TestAcquireReplacesNoResult: a run has ended, or has its record, after the list that the
// plan is made from, before the Job is read or before it is deleted. It stays, and so the
// new run gets a new number.
func TestAcquireReplacesNoResult(t *testing.T) {
	t.Parallel()
	end := func(j *batchv1.Job) {
		ends(batchv1.JobFailed)(j)
		withRecord(badRecord)(j)
	}
	for name, change := range map[string]func(c *cluster) error{
		"before it is read": func(c *cluster) error { return c.update(jobName, end) },
		"before it is deleted": func(c *cluster) error {
			c.answer("delete", func(n int, a ktesting.Action) error {
				if n > 1 {
					return nil
				}
				p := a.(ktesting.DeleteActionImpl).DeleteOptions.Preconditions
				require.Equal(t, "7", *p.ResourceVersion, "that of the state in which it was read")
				require.NoError(t, c.update(jobName, end))
				return apierrors.NewConflict(resource, jobName, errors.New("the ResourceVersion in the precondition does not match"))
			})
			return nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newServer(time.Minute, live(t, func(j *batchv1.Job) { j.ResourceVersion = "7" }))
			client := jobs.NewClient(c, jobs.Options{})
			r := changed(retried)
			runs := client.NewRuns(r.Execution, true)
			_, err := client.Acquire(t.Context(), changed(retried, func(r *jobs.Request) { r.Step = "first" }), jobs.RetryAll, runs, nil)
			require.NoError(t, err, "it reads the list")
			require.NoError(t, change(c))
			got, err := client.Acquire(t.Context(), r, jobs.RetryAll, runs, nil)
			require.NoError(t, err, name)
			require.Equal(t, 1, got.Run.Number, name)
			require.False(t, got.Adopted, name)
			left := map[string]string{}
			for _, job := range c.jobsNow() {
				left[job.Name] = string(job.UID)
			}
			require.Equal(t, "live", left[jobName], "%s: its result stays", name)
		})
	}
}

// TestAcquireAwaits: a new run waits until the one with a recorded result has ended.
func TestAcquireAwaits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		policy jobs.Policy
		ends   func(c *cluster) error // after five minutes
		want   int                    // run number
		adopts bool
	}{
		"it ends":           {jobs.RetryFailed, func(c *cluster) error { return c.update(jobName, ends(batchv1.JobFailed)) }, 1, false},
		"it ends, RetryAll": {jobs.RetryAll, func(c *cluster) error { return c.update(jobName, ends(batchv1.JobComplete)) }, 1, false},
		"it is deleted":     {jobs.RetryFailed, func(c *cluster) error { return c.Tracker().Delete(jobsResource, "ns", jobName) }, 0, false},
		"it is replaced": {jobs.RetryFailed, func(c *cluster) error {
			return c.update(jobName, func(j *batchv1.Job) { *j = *live(t); j.UID = "another" })
		}, 0, true},
		"it is being deleted": {jobs.RetryFailed, func(c *cluster) error {
			time.AfterFunc(time.Minute, func() { _ = c.Tracker().Delete(jobsResource, "ns", jobName) })
			return c.update(jobName, beingGone)
		}, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newServer(0, live(t, withRecord(badRecord)))
			c.fail("get", errEOF, errTooMany)
			time.AfterFunc(5*time.Minute, func() { require.NoError(t, tc.ends(c)) })
			client := jobs.NewClient(c, jobs.Options{RetryFor: 10 * time.Second})
			r := changed(retried)
			start := time.Now()
			got, err := client.Acquire(t.Context(), r, tc.policy, client.NewRuns(r.Execution, true), nil)
			require.NoError(t, err, name)
			require.Equal(t, tc.adopts, got.Adopted, name)
			require.Equal(t, tc.want, got.Run.Number, name)
			want := 5 * time.Minute
			if name == "it is being deleted" {
				want += time.Minute
			}
			require.GreaterOrEqual(t, time.Since(start), want, name)
			require.Less(t, time.Since(start), want+5*time.Second, name)
			require.Zero(t, c.count("delete"), "%s: a record is not thrown away", name)
			require.Equal(t, tc.adopts, c.count("create") == 0, name)
		})
	}
}

// TestAcquireAwaitsInVain: the wait is bounded, and its error says what blocks it.
func TestAcquireAwaitsInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newServer(0, live(t, withRecord(badRecord)))
		r := changed(retried)
		client := jobs.NewClient(c, jobs.Options{GoneFor: time.Minute})
		_, err := client.Acquire(t.Context(), r, jobs.RetryFailed, client.NewRuns(r.Execution, true), nil)
		require.ErrorContains(t, err, "job ns/"+jobName+" has a recorded result and its pods have not ended yet")
		require.ErrorContains(t, err, "gave up after")

		c.fail("get", errRBACGet)
		start := time.Now()
		_, err = client.Acquire(t.Context(), r, jobs.RetryFailed, client.NewRuns(r.Execution, true), nil)
		require.ErrorIs(t, err, errRBACGet)
		require.Zero(t, time.Since(start), "a refusal is not waited out")

		cause := errors.New("worker shuts down")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		_, err = client.Acquire(ctx, r, jobs.RetryFailed, client.NewRuns(r.Execution, true), nil)
		require.ErrorIs(t, err, cause)
		require.Zero(t, c.count("create"))
	})
}

// TestAcquireRoomFails: a run that could not be deleted keeps its name.
func TestAcquireRoomFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newServer(0, live(t))
		c.fail("delete", errDenied)
		r := changed(retried)
		client := jobs.NewClient(c, jobs.Options{})
		_, err := client.Acquire(t.Context(), r, jobs.RetryAll, client.NewRuns(r.Execution, true), nil)
		require.ErrorIs(t, err, errDenied)
		require.ErrorContains(t, err, "delete jobs.batch ns/"+jobName)
		require.NotContains(t, err.Error(), "may have been created")
		require.Zero(t, c.count("create"))
	})
}
