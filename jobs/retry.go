package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
)

const (
	firstDelay = 200 * time.Millisecond
	// maxDelay spares a server in trouble. A Job that is gone is noticed within
	// maxGoneDelay.
	maxDelay     = 10 * time.Second
	maxGoneDelay = 2 * time.Second
	// maxBusyDelay is for a server that has no room: a call that waits for it keeps its
	// slot, which bounds the requests, and a long pause would only let those overtake
	// that have just begun.
	maxBusyDelay = 2 * time.Second
)

// limits bound a call that is tried several times: in all, and each pause. Each try
// needs one of each of the slots.
type limits struct {
	all, pause time.Duration
	slots      []slots
}

// slots has one element for each request that is open.
type slots chan struct{}

// retry calls try until it says done, with growing and jittered pauses, until the
// limit is reached or ctx has ended. The error then wraps the last one of try,
// and the cause of ctx if that has ended: backoff's own Retry would drop one of
// them. Each try takes the slots of l, and a pause takes none, unless the
// server is overloaded: then those that have begun keep their slots, or all that are
// in the queue would come between, and none would get on. The wait for the first slot
// does not count against the limit, since nothing has failed yet.
func (c *Client) retry(ctx context.Context, what string, l limits, try func(context.Context) (done bool, err error)) error {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstDelay), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(l.pause), backoff.WithMaxElapsedTime(l.all))
	place := place{slots: l.slots}
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
		if delay == backoff.Stop || pauses.GetElapsedTime()+delay > l.all {
			return fmt.Errorf("gave up after %d tries in %s: %w", n, pauses.GetElapsedTime().Round(time.Second), err)
		}
		c.log.DebugContext(ctx, "retrying", "what", what, "tries", n, "delay", delay, "error", err)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return stopped(ctx, err)
		}
	}
}

// place is what one call holds of the slots, from its first try on.
type place struct {
	slots []slots // in the order in which every call takes them
	held  int     // so many of them
}

// acquire waits for a slot of each kind, unless they are held, in FIFO order. It
// returns false when ctx has ended.
func (p *place) acquire(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
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

// release gives the slots back that are held.
func (p *place) release() {
	for ; p.held > 0; p.held-- {
		<-p.slots[p.held-1]
	}
}

// stopped is the error of a call whose context has ended; last is nil when nothing
// was sent.
func stopped(ctx context.Context, last error) error {
	if last == nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w; last error: %w", context.Cause(ctx), last)
}

// once makes a try of a request that can be sent again without harm.
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
