package kontinuetest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// recorder is a test whose failures are recorded.
type recorder struct {
	testing.TB
	ctx     context.Context
	cleanup []func()
	said    strings.Builder
	failed  bool
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Failed() bool             { return r.failed }
func (r *recorder) FailNow()                 { r.failed = true; runtime.Goexit() }
func (r *recorder) Errorf(format string, args ...any) {
	r.failed = true
	fmt.Fprintf(&r.said, format, args...)
}

// failure runs the test with its cleanups and returns how it failed; empty if it passed.
func failure(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &recorder{TB: t, ctx: ctx}
	inOrder := func(f func()) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f()
		}()
		<-ended
	}
	inOrder(func() { test(r) })
	cancel()
	for _, f := range slices.Backward(r.cleanup) {
		inOrder(f)
	}
	if !r.failed {
		return ""
	}
	return r.said.String()
}
