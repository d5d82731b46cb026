package logs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// silence writes the text, and then nothing until the client gives up.
func silence(w http.ResponseWriter, r *http.Request, text string) {
	if text != "" {
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
	}
	<-r.Context().Done()
}

// TestTailOfASilentLog: a server that sends one line and then nothing, or nothing at
// all, does not hold the call.
func TestTailOfASilentLog(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"after a line": "a\n", "no answer": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &serve{onLog: func(_ int, w http.ResponseWriter, r *http.Request) { silence(w, r, text) }}
			r := s.reader(t)
			r.idle = 50 * time.Millisecond
			_, err := r.Tail(testContext(t), ref, TailOptions{Lines: 1})
			require.ErrorIs(t, err, errIdle)
			require.ErrorContains(t, err, "node alive")
			require.NotErrorIs(t, err, context.Canceled)
			var failure *Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, ref, failure.Ref)
		})
	}
}

// TestTailOfASlowLog: only silence counts.
func TestTailOfASlowLog(t *testing.T) {
	t.Parallel()
	const lines = 20
	s := &serve{onLog: func(_ int, w http.ResponseWriter, _ *http.Request) {
		for range lines {
			_, _ = io.WriteString(w, "a\n")
			_ = http.NewResponseController(w).Flush()
			<-time.After(20 * time.Millisecond)
		}
	}}
	r := s.reader(t)
	r.idle = 200 * time.Millisecond
	text, err := r.Tail(testContext(t), ref, TailOptions{Lines: lines})
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("a\n", lines), text)
}

// TestFollowReopensALogWithoutAnAnswer: the first request gets no headers.
func TestFollowReopensALogWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	file := numbered(3, 1, time.Second)
	s := &serve{
		onLog: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				silence(w, r, "")
				return
			}
			writeLines(w, since(t, file, r.URL.Query()))
		},
	}
	r := s.reader(t)
	r.idle = 50 * time.Millisecond
	var out strings.Builder
	report, err := r.Follow(testContext(t), ref, sourceOf(ended), &out)
	require.NoError(t, err)
	require.True(t, report.Complete)
	require.Equal(t, texts(file), out.String())
}

// TestTailsAtATime: many calls share a few requests, and one that waits ends with its
// context.
func TestTailsAtATime(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int64
	var once sync.Once
	full := make(chan struct{})
	s := &serve{onLog: func(_ int, w http.ResponseWriter, _ *http.Request) {
		now := open.Add(1)
		defer open.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		if now == maxTails {
			once.Do(func() { close(full) })
		}
		<-full
		<-time.After(100 * time.Millisecond) // for more, if they were let in
		_, _ = io.WriteString(w, "a\n")
	}}
	r := s.reader(t)
	var wg sync.WaitGroup
	errs := make([]error, 4*maxTails)
	for i := range errs {
		wg.Go(func() { _, errs[i] = r.Tail(testContext(t), ref, TailOptions{Lines: 1}) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.EqualValues(t, maxTails, most.Load())

	for range maxTails {
		r.tails <- struct{}{}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("no time")
	cancel(cause)
	_, err := r.Tail(ctx, ref, TailOptions{Lines: 1})
	require.ErrorIs(t, err, cause)
}
