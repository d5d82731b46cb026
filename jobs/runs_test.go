package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// steps returns a request for each of n steps, and the Jobs of their first runs.
func steps(t *testing.T, n int) (requests []*jobs.Request, there []runtime.Object) {
	t.Helper()
	for i := range n {
		r := changed(func(r *jobs.Request) { r.Step = fmt.Sprintf("step-%d", i) })
		job, err := r.Build()
		require.NoError(t, err)
		job.UID = typesUID(r.Step)
		requests, there = append(requests, r), append(there, job)
	}
	return requests, there
}

// together makes all steps call Acquire at once, and returns their errors.
func together(ctx context.Context, client *jobs.Client, runs *jobs.Runs, requests []*jobs.Request) []error {
	errs := make([]error, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			got, err := client.Acquire(ctx, r, jobs.None, runs, nil)
			if err == nil && string(got.Run.UID) != r.Step {
				err = fmt.Errorf("%s got %+v", r.Step, got.Run)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errs
}

// TestRunsOfAResume: one list suffices for all steps, and no other request is sent.
func TestRunsOfAResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests, there := steps(t, 100)
		c := newCluster(append(there, live(t, foreign), live(t, func(j *batchv1.Job) { j.Name = "copy" }))...)
		client := jobs.NewClient(&slow{Interface: c, back: takes("list", time.Second)}, jobs.Options{})
		runs := client.NewRuns(request().Execution, true)
		start := time.Now()
		require.NoError(t, errors.Join(together(t.Context(), client, runs, requests)...))
		require.Equal(t, time.Second, time.Since(start), "all wait for the same list")
		require.Equal(t, []int{1, 1}, []int{c.count("list"), len(c.Actions())})
		selector := c.Actions()[0].(ktesting.ListActionImpl).ListOptions.LabelSelector
		require.Equal(t, identity.ExecutionSelector("u-1"), selector)
	})
}

// TestRunsOfAFirstRun: nothing is listed as long as every name is free.
func TestRunsOfAFirstRun(t *testing.T) {
	t.Parallel()
	c := newCluster()
	client := jobs.NewClient(c, jobs.Options{})
	runs := client.NewRuns(request().Execution, false)
	requests, _ := steps(t, 10)
	for _, r := range requests {
		_, err := client.Acquire(t.Context(), r, jobs.RetryFailed, runs, nil)
		require.NoError(t, err)
	}
	require.Equal(t, []int{10, 10}, []int{c.count("create"), len(c.Actions())})

	runs.Invalidate()
	for _, r := range requests {
		got, err := client.Acquire(t.Context(), r, jobs.RetryFailed, runs, nil)
		require.NoError(t, err)
		require.True(t, got.Adopted)
	}
	require.Equal(t, []int{10, 1, 11}, []int{c.count("create"), c.count("list"), len(c.Actions())}, "one list after it")
}

// TestRunsAskedTwice: a step whose result was returned is called again. Its runs are no
// longer held, and its name leads to the same run.
func TestRunsAskedTwice(t *testing.T) {
	t.Parallel()
	c := newCluster(live(t, ends(batchv1.JobFailed), withRecord(badRecord)))
	client := jobs.NewClient(c, jobs.Options{})
	r := changed(retried)
	runs := client.NewRuns(r.Execution, true)
	first, err := client.Acquire(t.Context(), r, jobs.RetryFailed, runs, nil)
	require.NoError(t, err)
	require.False(t, first.Adopted)
	again, err := client.Acquire(t.Context(), r, jobs.RetryFailed, runs, nil)
	require.NoError(t, err)
	require.True(t, again.Adopted)
	require.Equal(t, first.Run, again.Run)
	require.Len(t, c.jobsNow(), 2)
}

// TestRunsFailedList: the step that sent the list gets the error, and the next one tries.
func TestRunsFailedList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests, there := steps(t, 10)
		c := newCluster(there...)
		c.fail("list", errRBAC)
		client := jobs.NewClient(&slow{Interface: c, back: takes("list", time.Second)}, jobs.Options{})
		errs := together(t.Context(), client, client.NewRuns(request().Execution, true), requests)
		var failed []error
		for _, err := range errs {
			if err != nil {
				failed = append(failed, err)
			}
		}
		require.Len(t, failed, 1)
		require.ErrorIs(t, failed[0], errRBAC)
		require.ErrorContains(t, failed[0], "list jobs.batch ns: ")
		require.Equal(t, []int{2, 2}, []int{c.count("list"), len(c.Actions())})
	})
	// Also when it comes later.
	c := newCluster(live(t))
	c.fail("list", errRBAC)
	client := jobs.NewClient(c, jobs.Options{})
	runs := client.NewRuns(request().Execution, true)
	_, err := client.Acquire(t.Context(), request(), jobs.None, runs, nil)
	require.ErrorIs(t, err, errRBAC)
	got, err := client.Acquire(t.Context(), request(), jobs.None, runs, nil)
	require.NoError(t, err)
	require.Equal(t, "live", string(got.Run.UID))
	require.Equal(t, []int{2, 0}, c.counts("list", "create"))
}

// TestRunsContext: the end of the step that sent the list does not end the others' wait,
// and each is bounded by its own context.
func TestRunsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests, there := steps(t, 3)
		c := newCluster(there...)
		client := jobs.NewClient(&slow{Interface: c, back: takes("list", time.Minute)}, jobs.Options{})
		runs := client.NewRuns(request().Execution, true)
		cause := errors.New("step was canceled")
		type result struct {
			took time.Duration
			err  error
		}
		results := make([]result, 3)
		start := time.Now()
		var wg sync.WaitGroup
		for i, limit := range []time.Duration{2 * time.Second, time.Second, time.Hour} {
			wg.Go(func() {
				ctx, cancel := context.WithTimeoutCause(t.Context(), limit, cause)
				defer cancel()
				_, err := client.Acquire(ctx, requests[i], jobs.None, runs, nil)
				results[i] = result{time.Since(start), err}
			})
			synctest.Wait() // the first one sends the list
		}
		wg.Wait()
		require.ErrorIs(t, results[0].err, cause)
		require.ErrorIs(t, results[1].err, cause)
		require.NoError(t, results[2].err)
		require.Equal(t, []time.Duration{2 * time.Second, time.Second, time.Minute + 2*time.Second},
			[]time.Duration{results[0].took, results[1].took, results[2].took})
		require.Equal(t, 2, c.count("list"))
	})
}

// TestRunsListUnderWay: a list that began before the AlreadyExists of a create may not show
// the Job.
func TestRunsListUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests, there := steps(t, 2)
		c := newCluster(there[0])
		client := jobs.NewClient(&slow{
			Interface: c, there: takes("create", 2*time.Second), back: takes("list", 5*time.Second),
		}, jobs.Options{})
		runs := client.NewRuns(request().Execution, false)
		var wg sync.WaitGroup
		var got jobs.Acquired
		var errs [2]error
		start := time.Now()
		wg.Go(func() { got, errs[1] = client.Acquire(t.Context(), requests[1], jobs.None, runs, nil) }) // asks from 0 to 2 s
		require.NoError(t, pause(t.Context(), time.Second))
		runs.Invalidate()
		wg.Go(func() { _, errs[0] = client.Acquire(t.Context(), requests[0], jobs.None, runs, nil) }) // lists from 1 to 6 s
		require.NoError(t, pause(t.Context(), 500*time.Millisecond))
		require.NoError(t, c.Tracker().Add(there[1])) // by another worker, at 1.5 s
		wg.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		require.True(t, got.Adopted)
		require.Equal(t, requests[1].Step, string(got.Run.UID))
		require.Equal(t, []int{1, 2, 0}, c.counts("create", "list", "get"), "the second list shows it")
		require.Equal(t, 11*time.Second, time.Since(start))
	})
}

// TestRunsShareTheSecondList: if the names of many steps are taken, one sends the list for
// all.
func TestRunsShareTheSecondList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests, there := steps(t, 100)
		c := newCluster(there...)
		client := jobs.NewClient(&slow{
			Interface: c, there: takes("create", time.Second), back: takes("list", time.Second),
		}, jobs.Options{MaxInFlight: 200})
		runs := client.NewRuns(request().Execution, false)
		require.NoError(t, errors.Join(together(t.Context(), client, runs, requests)...))
		require.Equal(t, 100, c.count("create"))
		require.LessOrEqual(t, c.count("list"), 2, "the first may have begun before the others asked")
		require.Len(t, c.Actions(), 100+c.count("list"))
	})
}
