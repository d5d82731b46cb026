package apicall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kontinue/kontinue/internal/apicall"
)

var jobs = schema.GroupResource{Group: "batch", Resource: "jobs"}

// hang never responds, and fails as net/http does when its context is done.
func hang(ctx context.Context) (int, error) {
	<-ctx.Done()
	return 0, fmt.Errorf("Get %q: %w", "https://api", ctx.Err())
}

func TestBoundedAbandonsARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := apicall.Bounded(t.Context(), hang)
		require.Equal(t, apicall.Timeout, time.Since(began))
		require.ErrorIs(t, err, apicall.ErrNoAnswer)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `no answer within 1m15s: Get "https://api"`)
		require.True(t, apicall.Transient(err))
	})
}

// TestBoundedKeepsTheCallersEnd: even if both contexts end at the same moment.
func TestBoundedKeepsTheCallersEnd(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{time.Second, apicall.Timeout} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			_, err := apicall.Bounded(ctx, hang)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, apicall.ErrNoAnswer)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := apicall.Bounded(ctx, hang)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, apicall.ErrNoAnswer)
}

// TestBoundedKeepsAnAnswer: a late response is returned, and an error before the
// deadline is not a timeout.
func TestBoundedKeepsAnAnswer(t *testing.T) {
	t.Parallel()
	exists := apierrors.NewAlreadyExists(jobs, "j")
	for name, want := range map[string]error{"status": exists, "success": nil} {
		synctest.Test(t, func(t *testing.T) {
			got, err := apicall.Bounded(t.Context(), func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 7, want
			})
			require.Equal(t, want, err, name)
			require.Equal(t, 7, got, name)
		})
	}
	_, err := apicall.Bounded(t.Context(), func(context.Context) (int, error) { return 0, io.ErrUnexpectedEOF })
	require.Equal(t, io.ErrUnexpectedEOF, err)
}

func TestTransientAndOverloaded(t *testing.T) {
	t.Parallel()
	status := func(code int32, reason metav1.StatusReason, text string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: text}}
	}
	for name, tc := range map[string]struct {
		err                   error
		transient, overloaded bool
	}{
		"none":               {nil, false, false},
		"connection refused": {errors.New("connection refused"), true, false},
		"wrapped":            {fmt.Errorf("list: %w", apierrors.NewForbidden(jobs, "j", nil)), false, false},
		"429":                {apierrors.NewTooManyRequests("x", 1), true, true},
		"429 of a webhook":   {status(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, `admission webhook "w" denied the request`), true, false},
		"500":                {apierrors.NewInternalError(io.EOF), true, false},
		"503":                {apierrors.NewServiceUnavailable("x"), true, false},
		"504":                {apierrors.NewTimeoutError("x", 1), true, false},
		"408":                {status(http.StatusRequestTimeout, "", "x"), true, false},
		"expired token":      {apierrors.NewUnauthorized("x"), true, false},
		"conflict":           {apierrors.NewConflict(jobs, "j", io.EOF), true, false},
		"already exists":     {apierrors.NewAlreadyExists(jobs, "j"), false, false},
		"expired list":       {apierrors.NewResourceExpired("x"), true, false},
		"forbidden":          {apierrors.NewForbidden(jobs, "j", io.EOF), false, false},
		"not found":          {apierrors.NewNotFound(jobs, "j"), false, false},
		"invalid":            {apierrors.NewInvalid(schema.GroupKind{}, "j", nil), false, false},
		"too large for etcd": {apierrors.NewInternalError(errors.New("etcdserver: request is too large")), false, false},
		"too large for gRPC": {apierrors.NewInternalError(errors.New("rpc error: code = ResourceExhausted desc = trying to send message larger than max (2097312 vs. 2097152)")), false, false},
		"too large":          {apierrors.NewRequestEntityTooLargeError("x"), false, false},
	} {
		require.Equal(t, tc.transient, apicall.Transient(tc.err), name)
		require.Equal(t, tc.overloaded, apicall.Overloaded(tc.err), name)
	}
}

func TestUIDThatIsMissing(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, "u", apicall.UIDOf("u", "ns", "j"))
	standIn := apicall.UIDOf("", "ns", "j")
	require.EqualValues(t, "ns/j", standIn)
	require.True(t, apicall.MissingUID("ns", "j", standIn))
	require.True(t, apicall.MissingUID("ns", "j", ""))
	require.False(t, apicall.MissingUID("ns", "j", "u"))
	require.False(t, apicall.MissingUID("ns", "other", standIn))

	require.True(t, apicall.SameUID("u", "u", "ns", "j"))
	require.False(t, apicall.SameUID("u", "v", "ns", "j"))
	require.False(t, apicall.SameUID("u", standIn, "ns", "j"))
	require.False(t, apicall.SameUID("", "u", "ns", "j"))
	require.True(t, apicall.SameUID("", standIn, "ns", "j"))
	require.True(t, apicall.SameUID("", "", "ns", "j"))
}
