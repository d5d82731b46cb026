package jobs_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/jobs"
)

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
