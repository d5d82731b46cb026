package listwatch

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/apicall"
)

const (
	firstPause = 500 * time.Millisecond
	// maxPause is roughly how long a client lags behind after an outage.
	maxPause = 8 * time.Second
)

// retryTransient retries a request that failed with a transient error. A reflector does
// so as well, but its pauses grow over all failures of the last two minutes, to up to a
// minute: after a few short outages the end of a Job would be seen long after the API
// server is back.
func retryTransient[T any](ctx context.Context, request func() (T, error)) (T, error) {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstPause), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(maxPause), backoff.WithMaxElapsedTime(0))
	for {
		answer, err := request()
		if err == nil || ctx.Err() != nil || !isTransient(err) {
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

// isTransient is [apicall.Transient] without the errors that the reflector handles: it
// lists again if its resource version has expired (410), or is newer than the state of
// an API server whose etcd was restored.
func isTransient(err error) bool {
	switch {
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		return false
	case apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge):
		return false
	default:
		return apicall.Transient(err)
	}
}
