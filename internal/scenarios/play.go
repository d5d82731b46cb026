package scenarios

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// play runs the scenario on a cluster and checks the result.
func (s *Scenario) play(t *testing.T, c Cluster, entry *Facts) {
	t.Helper()
	fail := func(err error) {
		t.Helper()
		entry.reason = errors.Join(entry.reason, err)
		t.Error(err)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("the scenario took longer than %s", limit))
	defer cancel()
	r := &Run{Scenario: s, Admin: c.Admin(), Namespace: "s-" + s.Name, cluster: c, test: t, newReport: make(chan struct{}, 1)}
	stop, err := r.prepare(ctx)
	if err != nil {
		fail(err)
		return
	}
	defer stop()
	if s.Earlier != nil {
		if err := s.Earlier(ctx, r); err != nil {
			fail(fmt.Errorf("earlier worker: %w", err))
			return
		}
	}
	began := time.Now()
	if err := r.step(ctx); err != nil {
		fail(err)
	}
	entry.Seconds = time.Since(began).Seconds()
	if r.Err == nil && !t.Failed() {
		// Resume at once with the same client, whose cache may be older than the result.
		if err := r.again(ctx, r.Client); err != nil {
			fail(fmt.Errorf("immediate resume by the same client: %w", err))
		}
	}
	for _, err := range r.check() {
		fail(err)
	}
	if s.Settle != nil && !t.Failed() {
		if err := s.Settle(ctx, r); err != nil {
			fail(err)
		}
	}
	if err := r.settle(ctx); err != nil {
		fail(err)
	}
	if err := r.observe(ctx, entry); err != nil {
		fail(err)
	}
	if s.After != nil && !t.Failed() {
		if err := s.After(ctx, r); err != nil {
			fail(err)
		}
	}
	if r.Err == nil && !r.noResume && !t.Failed() {
		if err := r.resume(ctx); err != nil {
			fail(err)
		}
	}
	if t.Failed() {
		t.Log(r.dump(ctx))
	}
}
