package apicall

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Timeout bounds one request of [Bounded]. An API server ends every request that is
// not a watch after 60 s (its --request-timeout). If there is no response then, the
// connection is half-open or a proxy has lost its upstream.
const Timeout = 75 * time.Second

// ErrNoAnswer is wrapped by the error of a request that was abandoned after
// [Timeout]. It is then unknown whether a write took effect.
var ErrNoAnswer = fmt.Errorf("no answer within %s", Timeout)

// Bounded sends one request and abandons it after [Timeout], with an error that wraps
// [ErrNoAnswer] and does not match [context.DeadlineExceeded]. Only the error of ctx
// itself may match that, and is returned unchanged.
func Bounded[T any](ctx context.Context, send func(context.Context) (T, error)) (T, error) {
	deadline := time.Now().Add(Timeout)
	if own, ok := ctx.Deadline(); ok && !own.After(deadline) {
		return send(ctx) // the caller's context takes precedence
	}
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	answer, err := send(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil && !answered(err) {
		text := err.Error()
		err = fmt.Errorf("%w: %s", ErrNoAnswer, text) // err may wrap the deadline of bounded
	}
	return answer, err
}

// answered reports whether err is a response of the API server.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// Transient reports whether the same request may succeed when it is sent again:
// there was no response, the server was overloaded (429) or failed (5xx), a webhook
// could not be called, two writers met, a LIST took longer than its state is kept
// (410), or a token has expired (401), which client-go reads again from its file
// within a minute. The end of a context is not distinguished from a lost response: the
// caller checks its context first.
func Transient(err error) bool {
	if err == nil {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	switch s := status.Status(); s.Code {
	case http.StatusConflict:
		// Quota admission returns it for a create if two requests conflicted on the
		// ResourceQuota. AlreadyExists has the same code and is final.
		return s.Reason == metav1.StatusReasonConflict
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusGone:
		return true
	default:
		return s.Code >= http.StatusInternalServerError && !tooLarge(s.Message)
	}
}

// tooLarge reports whether a 500 is etcd's, or the API server's client of it, for an
// object that it can never store. The API server has no status of its own for that.
func tooLarge(message string) bool {
	return strings.Contains(message, "request is too large") || strings.Contains(message, "message larger than max")
}

// Overloaded reports whether the API server rejected the request before processing
// it (429, API Priority and Fairness). An admission webhook may answer with 429 too:
// that concerns this request alone and is not the server's load.
func Overloaded(err error) bool {
	return apierrors.IsTooManyRequests(err) && !strings.Contains(err.Error(), "admission webhook")
}
