package sandbox

import (
	"context"
	"fmt"
	"time"
)

// pollInterval is short because everything that is polled ends within milliseconds.
const pollInterval = 10 * time.Millisecond

// poll calls done until it returns true or ctx is done. Its error wraps the last one
// of done.
func poll(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		ok, last := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			if last != nil {
				return fmt.Errorf("%w: %w", context.Cause(ctx), last)
			}
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
