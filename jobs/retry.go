package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
)

const (
	firstDelay = 200 * time.Millisecond
	// maxDelay bounds the load on a failing server. The deletion of a Job is noticed
	// within maxGoneDelay.
	maxDelay     = 10 * time.Second
	maxGoneDelay = 2 * time.Second
	// maxBusyDelay is for an overloaded server. A waiting call keeps its slot, which
	// bounds the requests, and a longer pause would only let later calls overtake it.
	maxBusyDelay = 2 * time.Second
)

// limits bound the retries of a call: their total time, and each pause. Each try needs
// one of each kind of slot.
type limits struct {
	all, pause time.Duration
	warn       time.Duration // without all there is no limit, and a warning after this time
	slots      []slots
}

// slots has one element for each request that is open.
type slots chan struct{}

// retry calls try until it reports done, with growing and jittered pauses, until the
// limit is reached or ctx is done. Its error then wraps the last one of try and, if ctx
// is done, its cause: backoff's Retry would drop one of them. Each try takes the slots
// of l, and releases them for the pause. But if the server is overloaded, a call keeps
// its slots: otherwise all queued calls would come between, and none would make
// progress. The wait for the first slot does not count against the limit, since nothing
// has failed yet.
func (c *Client) retry(ctx context.Context, what string, l limits, try func(context.Context) (done bool, err error)) error {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstDelay), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(l.pause), backoff.WithMaxElapsedTime(l.all))
	place := place{slots: l.slots, waiting: &c.waiting}
	defer place.release()
	var err error
	for n := 1; ; n++ {
		if !place.acquire(ctx) {
			return stopped(ctx, err)
		}
		if n == 1 {
			pauses.Reset()
		}
		var done bool
		if done, err = try(ctx); done {
			return err
		}
		if ctx.Err() != nil {
			return stopped(ctx, err)
		}
		pauses.MaxInterval = l.pause
		if apicall.Overloaded(err) {
			pauses.MaxInterval = min(l.pause, maxBusyDelay)
		} else {
			place.release()
		}
		delay := pauses.NextBackOff()
		if s, ok := apierrors.SuggestsClientDelay(err); ok && delay != backoff.Stop {
			delay += time.Duration(s) * time.Second // and not all at the same moment
		}
		if delay == backoff.Stop || l.all > 0 && pauses.GetElapsedTime()+delay > l.all {
			return fmt.Errorf("gave up after %d tries in %s: %w", n, pauses.GetElapsedTime().Round(time.Second), err)
		}
		level := slog.LevelDebug
		if l.warn > 0 && pauses.GetElapsedTime() > l.warn {
			level, l.warn = slog.LevelWarn, 0
		}
		c.log.Log(ctx, level, "retrying", "what", what, "tries", n, "delay", delay, "error", err)
		if !pause(ctx, delay) {
			return stopped(ctx, err)
		}
	}
}

// pause returns after delay, or false if ctx is done.
func pause(ctx context.Context, delay time.Duration) (over bool) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	apicall.Waiting(ctx, func() {
		select {
		case <-timer.C:
			over = true
		case <-ctx.Done():
		}
	})
	return over
}

// place holds the slots of one call, from its first try on.
type place struct {
	slots   []slots       // in the order in which every call takes them
	held    int           // so many of them
	waiting *atomic.Int64 // of the client
}

// acquire waits for a slot of each kind in FIFO order, unless they are held. It returns
// false if ctx is done.
func (p *place) acquire(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	if p.held < len(p.slots) {
		p.waiting.Add(1)
		defer p.waiting.Add(-1)
	}
	for ; p.held < len(p.slots); p.held++ {
		select {
		case p.slots[p.held] <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// release releases the slots that are held.
func (p *place) release() {
	for ; p.held > 0; p.held-- {
		<-p.slots[p.held-1]
	}
}

// stopped returns the error of a call whose context is done. last is nil if nothing was
// sent.
func stopped(ctx context.Context, last error) error {
	if last == nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w; last error: %w", context.Cause(ctx), last)
}

// once returns a try of an idempotent request.
func once(request func(context.Context) *APIError) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		if err := request(ctx); err != nil {
			return !err.Transient(), err
		}
		return true, nil
	}
}

// asAPIError is errors.As for a nil-safe switch.
func asAPIError(err error) *APIError {
	var e *APIError
	if errors.As(err, &e) {
		return e
	}
	return nil
}
