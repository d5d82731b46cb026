package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

const (
	runTime      = 5 * time.Second // of a Job
	deletionTime = 3 * time.Second
)

// contest is a cluster in which workers of two attempts call the same step, with a watch
// that lags. Jobs end by themselves, each with the condition.
type contest struct {
	*cluster
	condition batchv1.JobConditionType
	lag       time.Duration

	mu      sync.Mutex
	history []snapshot
	created []int // attempts
	overlap []string
}

// snapshot holds what the watch shows at one moment: the Jobs that have no record.
type snapshot struct {
	at   time.Time
	jobs []jobs.Found
}

func newContest(condition batchv1.JobConditionType, lag time.Duration, there ...runtime.Object) *contest {
	c := &contest{cluster: newServer(deletionTime, there...), condition: condition, lag: lag}
	// Before the create takes effect: every Job that is not terminal overlaps with it.
	c.PrependReactor("create", "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
		job := a.(ktesting.CreateAction).GetObject().(*batchv1.Job)
		all := c.jobsNow()
		if slices.ContainsFunc(all, func(j batchv1.Job) bool { return j.Name == job.Name }) {
			return true, nil, apierrors.NewAlreadyExists(resource, job.Name)
		}
		for i := range all {
			if !jobs.Classify(&all[i].Status).Terminal {
				c.overlap = append(c.overlap, all[i].Name+" runs beside "+job.Name)
			}
		}
		c.created = append(c.created, identity.MetadataOf(job).Attempt)
		name, uid := job.Name, types.UID("job-"+strconv.FormatInt(c.uids.Load()+1, 10)) // that it gets next
		time.AfterFunc(runTime, func() {
			_ = c.update(name, func(j *batchv1.Job) {
				if j.UID == uid {
					ends(c.condition)(j)
				}
			})
		})
		return false, nil, nil
	})
	return c
}

// observe records what the watch shows until ctx is done.
func (c *contest) observe(ctx context.Context) {
	for pause(ctx, 100*time.Millisecond) == nil {
		s := snapshot{at: time.Now()}
		all := c.jobsNow()
		for i := range all {
			if _, done := all[i].Labels[identity.LabelRecorded]; !done {
				s.jobs = append(s.jobs, found(&all[i]))
			}
		}
		c.mu.Lock()
		c.history = append(c.history, s)
		c.mu.Unlock()
	}
}

func (c *contest) cached() []jobs.Found {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range slices.Backward(c.history) {
		if time.Since(s.at) >= c.lag {
			return s.jobs
		}
	}
	return nil
}

// await returns when the Job has ended or is gone, as a worker with a watch would
// eventually see it.
func (c *contest) await(ctx context.Context, run jobs.Run) (ended bool, _ error) {
	for {
		all := c.jobsNow()
		i := slices.IndexFunc(all, func(j batchv1.Job) bool { return j.UID == run.UID })
		if i < 0 {
			return false, nil
		}
		if jobs.Classify(&all[i].Status).Terminal {
			return true, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// errDeleted is the error of a function whose step's Job is deleted each time.
var errDeleted = errors.New("its Job was deleted three times")

// work runs a worker whose function calls the step, and calls it again if its Job was
// deleted. It returns the run whose result the function received.
func (c *contest) work(ctx context.Context, client *jobs.Client, attempt int, p jobs.Policy) (jobs.Run, error) {
	runs := client.NewRuns(request().Execution, attempt > 0)
	for range 3 {
		r := changed(func(r *jobs.Request) { r.Attempt = attempt })
		got, err := client.Acquire(ctx, r, p, runs, c.cached())
		if err != nil {
			return jobs.Run{}, err
		}
		ended, err := c.await(ctx, got.Run)
		switch {
		case err != nil:
			return jobs.Run{}, err
		case !ended:
			runs.Invalidate() // as after every step that returns an error
			continue
		}
		text := fmt.Sprintf(`{"v":1,"attempt":%d,"failed":%t,"pods":null}`, attempt, c.condition == batchv1.JobFailed)
		_, _, err = client.SaveRecord(ctx, "ns", got.Run.Name, got.Run.UID, text, nil)
		if errors.Is(err, jobs.ErrJobDeleted) {
			err = nil // it had ended
		}
		return got.Run, err
	}
	return jobs.Run{}, errDeleted
}

// TestContend: workers of two attempts call the same step, in any order, with late
// responses to creates and a watch that lags. There are never two runs that have not
// ended.
func TestContend(t *testing.T) {
	t.Parallel()
	for _, p := range []jobs.Policy{jobs.None, jobs.RetryFailed, jobs.RetryAll} {
		for _, condition := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
			for _, late := range []string{"", "there", "back"} {
				for _, lag := range []time.Duration{0, 2 * time.Second, 20 * time.Second} {
					for _, apart := range []time.Duration{0, -time.Second, time.Second, 4 * time.Second, 5 * time.Second} {
						name := fmt.Sprintf("policy %d, %s, late %q, lag %s, attempt 1 after %s", p, condition, late, lag, apart)
						synctest.Test(t, func(t *testing.T) { contend(t, newContest(condition, lag), p, late, apart, name) })
					}
				}
			}
		}
	}
}

func contend(t *testing.T, c *contest, p jobs.Policy, late string, apart time.Duration, name string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	var watching sync.WaitGroup
	watching.Go(func() { c.observe(ctx) })
	defer watching.Wait()
	defer stop()
	old := &slow{Interface: c}
	switch late {
	case "there":
		old.there = takes("create", 2*time.Second)
	case "back":
		old.back = takes("create", 2*time.Second)
	}
	clients := []*jobs.Client{jobs.NewClient(old, jobs.Options{}), jobs.NewClient(c, jobs.Options{})}
	delays := []time.Duration{max(0, -apart), max(0, apart)}
	var results [2]jobs.Run
	var errs [2]error
	var wg sync.WaitGroup
	for attempt := range 2 {
		wg.Go(func() {
			if errs[attempt] = pause(ctx, delays[attempt]); errs[attempt] == nil {
				results[attempt], errs[attempt] = c.work(ctx, clients[attempt], attempt, p)
			}
		})
	}
	wg.Wait()
	require.Empty(t, c.overlap, "%s: created by attempts %d", name, c.created)
	require.NoError(t, errs[1], name)
	if p != jobs.RetryAll || !errors.Is(errs[0], errDeleted) { // by attempt 1
		require.NoError(t, errs[0], name)
	}
	switch p {
	case jobs.None:
		require.Len(t, c.created, 1, name)
		require.Equal(t, results[0].UID, results[1].UID, name)
	case jobs.RetryFailed:
		// The later attempt runs it again only if the failure was returned to the other.
		require.LessOrEqual(t, len(c.created), 2, name)
		if c.condition == batchv1.JobComplete {
			require.Len(t, c.created, 1, name)
		}
	case jobs.RetryAll:
		// The run of attempt 1 was created in attempt 1, or its result had not been returned.
		require.True(t, results[1].Attempt == 1 || results[1].Terminal, "%s: %+v", name, results[1])
	}
}

// TestContendWithResults: three concurrent attempts, each with a different view of the
// Jobs, next to runs that have ended.
func TestContendWithResults(t *testing.T) {
	t.Parallel()
	for _, p := range []jobs.Policy{jobs.RetryFailed, jobs.RetryAll} {
		synctest.Test(t, func(t *testing.T) {
			c := newContest(batchv1.JobFailed, 2*time.Second, live(t, ends(batchv1.JobFailed), withRecord(badRecord)))
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
			var watching sync.WaitGroup
			watching.Go(func() { c.observe(ctx) })
			defer watching.Wait()
			defer stop()
			errs := make([]error, 6)
			var wg sync.WaitGroup
			for i := range errs {
				attempt := 1 + i%3
				client := jobs.NewClient(&slow{Interface: c, there: takes("create", time.Duration(i)*300*time.Millisecond)}, jobs.Options{})
				wg.Go(func() { _, errs[i] = c.work(ctx, client, attempt, p) })
			}
			wg.Wait()
			require.Empty(t, c.overlap, "policy %d: created by attempts %d", p, c.created)
			for i, err := range errs {
				// The last attempt eventually gets its run, even if the others are always faster.
				if p == jobs.RetryAll && i%3 < 2 && errors.Is(err, errDeleted) {
					continue
				}
				require.NoError(t, err, "policy %d, worker %d", p, i)
			}
			isFirst := func(j batchv1.Job) bool { return j.UID == "live" }
			require.True(t, slices.ContainsFunc(c.jobsNow(), isFirst), "what has ended stays")
		})
	}
}
