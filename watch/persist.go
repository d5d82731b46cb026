package watch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	firstPause = 500 * time.Millisecond
	// maxPause is about how long a client is behind when an outage is over.
	maxPause = 8 * time.Second
)

// persist repeats a request that failed in a way that may pass. A reflector does
// that as well, but its pauses grow over all failures of the last two minutes, to
// up to a minute: after a few short outages the end of a Job would be known long
// after the API server is back.
func persist[T any](ctx context.Context, request func() (T, error)) (T, error) {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstPause), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(maxPause), backoff.WithMaxElapsedTime(0))
	for {
		answer, err := request()
		if err == nil || ctx.Err() != nil || !mayPass(err) {
			return answer, err
		}
		pause := pauses.NextBackOff()
		if s, ok := apierrors.SuggestsClientDelay(err); ok {
			pause = max(pause, time.Duration(s)*time.Second)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer, err
		}
	}
}

// mayPass tells that the same request may succeed if it is sent again: there was
// no answer, the server was overloaded or failed, or a token has expired, which
// client-go reads again from its file within a minute. The others, an expired
// resource version among them, are the reflector's.
func mayPass(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	if apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		return false // the reflector lists afresh
	}
	switch code := status.Status().Code; code {
	case http.StatusTooManyRequests, http.StatusUnauthorized:
		return true
	default:
		return code >= http.StatusInternalServerError
	}
}
