package listwatch_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/listwatch"
)

func TestErrorIsPlainText(t *testing.T) {
	t.Parallel()
	e := &listwatch.Error{Verb: "list", Resource: "jobs", Namespace: "ns", Err: errors.New("a\u202eb\u2028c\x1b[2J")}
	require.Equal(t, `list jobs in namespace "ns": ab c`, e.Error())
}

// TestRetryOfTransientErrors: they are retried within seconds, or after the API server's
// Retry-After. Other errors, and those that the reflector handles, are returned.
func TestRetryOfTransientErrors(t *testing.T) {
	t.Parallel()
	tooLarge := apierrors.NewTimeoutError("Too large resource version: 100, current: 3", 1)
	tooLarge.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
	gone := &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusGone, Reason: metav1.StatusReasonGone}}
	for name, tc := range map[string]struct {
		answer      error
		least, most int // requests in ten minutes
	}{
		"no answer":       {errors.New("connection refused"), 50, 200},
		"overloaded":      {apierrors.NewTooManyRequestsError("x"), 50, 200},
		"retry after":     {apierrors.NewTooManyRequests("x", 30), 19, 21},
		"unavailable":     {apierrors.NewServiceUnavailable("x"), 50, 200},
		"timeout":         {apierrors.NewTimeoutError("x", 1), 50, 200},
		"expired token":   {apierrors.NewUnauthorized("x"), 50, 200},
		"etcd restored":   {tooLarge, 1, 1},
		"compacted":       {apierrors.NewResourceExpired("x"), 1, 1},
		"gone":            {gone, 1, 1},
		"no right to it":  {apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "", nil), 1, 1},
		"no such request": {apierrors.NewBadRequest("x"), 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			cfg := jobsOf(nil)
			cfg.Watch = func(context.Context, metav1.ListOptions) (watch.Interface, error) {
				requests++
				return nil, tc.answer
			}
			lw := listwatch.New(cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			_, err := lw.WatchWithContext(ctx, metav1.ListOptions{})
			require.ErrorIs(t, err, tc.answer, name)
			require.GreaterOrEqual(t, requests, tc.least, name)
			require.LessOrEqual(t, requests, tc.most, name)
			require.ErrorIs(t, health(lw), tc.answer, name)
		})
	}
}

// TestListWithoutAnAnswerIsAbandoned: a reflector would wait for it forever.
func TestListWithoutAnAnswerIsAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, requests := jobsOf(nil), 0
		cfg.List = func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
			requests++
			<-ctx.Done()
			return nil, ctx.Err()
		}
		lw := listwatch.New(cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 2*apicall.Timeout)
		defer cancel()
		_, err := lw.ListWithContext(ctx, metav1.ListOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 2, requests)
	})
}
