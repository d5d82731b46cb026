package jobs_test

import (
	"context"
	"errors"
	"strings"
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

func TestAcquireRetries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		create, get []error
		adopted     bool
		creates     int
		list, got   int
	}{
		"lost, never arrived":    {create: []error{errEOF}, creates: 2, got: 1},
		"429 twice":              {create: []error{errTooMany, errTooMany}, creates: 3, got: 0},
		"lost, then 429":         {create: []error{errEOF, errTooMany}, creates: 3, got: 1},
		"lost, and get gets 429": {create: []error{errEOF}, get: []error{errTooMany}, creates: 2, got: 2},
		"webhook comes back":     {create: []error{errWebhook, errWebhook, errWebhook}, creates: 4, got: 3},
		"quota row conflict":     {create: []error{errQuotaRow}, creates: 2, got: 1},
		"get fails, too":         {create: []error{errEOF}, get: []error{errEOF, errTimeout}, creates: 2, got: 3},
		"exists, then deleted":   {create: []error{errExists}, creates: 2, list: 1, got: 1},
		"repeatedly":             {create: []error{errExists, errExists, errExists}, creates: 4, list: 3, got: 3},
		"exists, and get fails":  {create: []error{errExists}, get: []error{errEOF}, creates: 2, list: 1, got: 2},
		"503 with a long advice": {create: []error{apierrors.NewServerTimeout(resource, "create", 30)}, creates: 2, got: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster()
			c.fail("create", tc.create...)
			c.fail("get", tc.get...)
			start := time.Now()
			got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
			require.NoError(t, err, name)
			require.False(t, got.Adopted, name)
			require.Equal(t, []int{tc.creates, tc.list, tc.got}, c.counts("create", "list", "get"), name)
			require.Positive(t, time.Since(start), "%s: there is a pause between tries", name)
			if s, ok := apierrors.SuggestsClientDelay(tc.create[0]); ok {
				require.GreaterOrEqual(t, time.Since(start), time.Duration(s)*time.Second, name)
			}
		})
	}
}

func TestAcquirePermanent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer error
		text   string
	}{
		"rbac":                  {errRBAC, "grant verb create on jobs.batch in namespace ns"},
		"denied":                {errDenied, "no latest tags"},
		"quota":                 {errQuota, "ResourceQuota"},
		"namespace terminating": {errTerminating(), "namespace ns is being deleted"},
		"no namespace":          {errNoNS, "create namespace ns first"},
		"invalid":               {errInvalid, "correct the fields"},
		"too large":             {errTooLarge, "too large"},
		"bad request":           {apierrors.NewBadRequest("bad"), "bad"},
		"not supported":         {apierrors.NewMethodNotSupported(resource, "create"), "not supported"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster()
			c.fail("create", tc.answer)
			start := time.Now()
			_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
			require.ErrorIs(t, err, tc.answer, name)
			require.ErrorContains(t, err, tc.text, name)
			require.Equal(t, 1, strings.Count(err.Error(), "ns/"+build(t).Name), "%s: %v", name, err)
			require.NotContains(t, err.Error(), "may have been created", name)
			var e *jobs.APIError
			require.ErrorAs(t, err, &e, name)
			require.Equal(t, "create", e.Verb, name)
			require.Zero(t, time.Since(start), name)
			require.Equal(t, []int{1, 0, 1}, c.counts("create", "list", "get"), name)
		})
	}
}

// TestExpiredToken: the Job is created once the token's file has a new one.
func TestExpiredToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.fail("create", errUnauth, errUnauth)
		c.fail("get", errUnauth)
		start := time.Now()
		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.NoError(t, err)
		require.False(t, got.Adopted)
		require.Less(t, time.Since(start), 10*time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		for range 100 {
			c.fail("create", errUnauth)
			c.fail("get", errUnauth)
		}
		start := time.Now()
		_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorIs(t, err, errUnauth)
		require.ErrorContains(t, err, "renew them")
		require.NotContains(t, err.Error(), "may have been created")
		require.LessOrEqual(t, time.Since(start), 2*time.Minute)
	})
}

func TestAcquireMayNotLook(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		create error
		verb   string
		maybe  bool
	}{
		"create refused, too": {errRBAC, "create", false},
		"exists":              {errExists, "get", false},
		"lost":                {errEOF, "get", true},
	} {
		c := newCluster()
		c.fail("create", tc.create)
		c.fail("get", errRBACGet)
		_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.ErrorIs(t, err, tc.create, name)
		require.ErrorContains(t, err, "grant verb "+tc.verb, name)
		require.Equal(t, tc.maybe, contains(err, "a resume will find it"), name)
	}
}

func contains(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}

func TestAcquireGivesUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer error
		maybe  bool
		most   int // tries in that minute
	}{
		"lost": {errEOF, true, 20}, "webhook down": {errWebhook, true, 20}, "quota row conflict": {errQuotaRow, false, 20},
		"429": {errTooMany, false, 60}, "429 of a webhook": {errBusyHook, false, 20}, "exists and does not": {errExists, false, 20},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster()
			c.answer("create", func(int, ktesting.Action) error { return tc.answer })
			start := time.Now()
			_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{RetryFor: time.Minute}), request())
			require.ErrorIs(t, err, tc.answer, name)
			require.ErrorContains(t, err, "gave up after", name)
			require.Equal(t, tc.maybe, contains(err, "a resume will find it"), name)
			took := time.Since(start)
			require.LessOrEqual(t, took, time.Minute, name)
			require.Greater(t, took, 40*time.Second, name)
			require.Less(t, c.count("create"), tc.most, "%s: the pauses grow", name)
		})
	}
}

// TestAcquireLongRetryAfter: a Retry-After that exceeds the remaining time ends the call
// at once.
func TestAcquireLongRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.fail("create", apierrors.NewTooManyRequests("busy", 3600))
		start := time.Now()
		_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.True(t, apierrors.IsTooManyRequests(err), "%v", err)
		require.Zero(t, time.Since(start))
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
