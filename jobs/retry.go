package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	firstDelay = 200 * time.Millisecond
	// maxDelay spares a server in trouble; nobody waits for a gone Job longer than
	// maxGoneDelay for nothing.
	maxDelay     = 10 * time.Second
	maxGoneDelay = 2 * time.Second
	// maxBusyDelay is for a server that has no room: whoever waits for it keeps a
	// slot, which bounds the requests, and a long pause would only let those overtake
	// that have just begun.
	maxBusyDelay = 2 * time.Second
	// answerWithin bounds one request. An API server ends every request that is no
	// watch after 60 s (its --request-timeout), so no answer is left to wait for by
	// then: the connection is half open, or a proxy has lost its upstream.
	answerWithin = 75 * time.Second
)

var errNoAnswer = fmt.Errorf("no answer within %s", answerWithin)

// limits bound a call that is tried several times: in all, and each pause.
type limits struct{ all, pause time.Duration }

// retry calls try until it says done, with growing and jittered pauses, until the
// limit is reached or ctx has ended. The error then wraps the last one of try,
// and the cause of ctx if that has ended: backoff's own Retry would drop one of
// them. Each try takes one of the client's slots, and a pause takes none, unless the
// server is overloaded: then those that have begun keep their slots, or all that are
// in the queue would come between, and none would get on. The wait for the first slot
// does not count against the limit, since nothing has failed yet.
func (c *Client) retry(ctx context.Context, what string, l limits, try func(context.Context) (done bool, err error)) error {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstDelay), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(l.pause), backoff.WithMaxElapsedTime(l.all))
	turn := turn{slots: c.slots}
	defer turn.end()
	var err error
	for n := 1; ; n++ {
		if !turn.begin(ctx) {
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
		if overloaded(err) {
			pauses.MaxInterval = min(l.pause, maxBusyDelay)
		} else {
			turn.end()
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

// turn is the slot of one call, from a first try on.
type turn struct {
	slots chan struct{}
	held  bool
}

// begin waits for a slot, unless the turn has one, in the order of asking. It
// reports false when ctx has ended.
func (t *turn) begin(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	if t.held {
		return true
	}
	select {
	case t.slots <- struct{}{}:
		t.held = true
	case <-ctx.Done():
	}
	return t.held
}

// end gives the slot back, if the turn has one.
func (t *turn) end() {
	if t.held {
		<-t.slots
		t.held = false
	}
}

// overloaded tells that the API server has refused a request unseen, for want of
// capacity. An admission webhook may answer with 429 too: that is no answer of the
// server's, and concerns only some requests.
func overloaded(err error) bool {
	return apierrors.IsTooManyRequests(err) && !strings.Contains(err.Error(), "admission webhook")
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
			return err.final(), err
		}
		return true, nil
	}
}

// ask sends one request and gives it up after answerWithin. That error is no API
// status, so it is transient, and what a write has done is unknown. The caller's
// own end shows unchanged, and only that: an error of ask's deadline must not be
// taken for it, and so is not wrapped.
func ask[T any](ctx context.Context, send func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := send(bounded)
	if errors.Is(err, context.DeadlineExceeded) && bounded.Err() != nil && ctx.Err() == nil {
		text := err.Error()
		err = fmt.Errorf("%w: %s", errNoAnswer, text)
	}
	return answer, err
}

// asAPIError is errors.As for a nil-safe switch.
func asAPIError(err error) *APIError {
	var e *APIError
	if errors.As(err, &e) {
		return e
	}
	return nil
}
