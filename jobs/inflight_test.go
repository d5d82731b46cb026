package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/jobs"
)

// server responds to each request after a second with the given status, and counts how
// many are open: the fake clientset would serve only one at a time. Its response to a
// create is creates, if that is set.
type server struct {
	open, most atomic.Int64
	status     func(n int64) int
	creates    int
	requests   atomic.Int64
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	n := s.requests.Add(1)
	open := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); open > most && !s.most.CompareAndSwap(most, open); most = s.most.Load() {
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	code := s.status(n)
	if r.Method == http.MethodPost && s.creates != 0 {
		code = s.creates
	}
	body := `{"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"j","uid":"u"}}`
	if code != http.StatusOK {
		body = fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"failed calling webhook","code":%d}`, code)
	}
	return &http.Response{
		StatusCode: code, Request: r, Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, nil
}

func (s *server) client(t *testing.T, o jobs.Options) *jobs.Client {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: "https://api.example.com", Transport: s, QPS: -1})
	require.NoError(t, err)
	client := jobs.NewClient(clientset, o)
	t.Cleanup(func() { require.NoError(t, client.Close(context.Background())) })
	return client
}

func ok(int64) int { return http.StatusOK }

func TestMaxInFlight(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int64{0: 64, 1: 1, 7: 7} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{status: ok}
			client := s.client(t, jobs.Options{MaxInFlight: limit})
			var wg sync.WaitGroup
			errs := make([]error, 200)
			for i := range errs {
				wg.Go(func() { _, errs[i] = client.Get(t.Context(), "ns", "j") })
			}
			start := time.Now()
			synctest.Wait()
			open, queued := client.Requests()
			require.Equal(t, []int{int(want), 200 - int(want)}, []int{open, queued})
			wg.Wait()
			open, queued = client.Requests()
			require.Zero(t, open+queued)
			require.NoError(t, errors.Join(errs...))
			require.Equal(t, want, s.most.Load())
			require.Equal(t, time.Duration((200+want-1)/want)*time.Second, time.Since(start), "all slots are used")
		})
	}
}

// TestMaxInFlightPause: a call that backs off releases its slot, and one that waits for a
// slot has not failed yet.
func TestMaxInFlightPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls = 100
		s := &server{status: func(n int64) int {
			if n <= calls {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		}}
		client := s.client(t, jobs.Options{MaxInFlight: 1, RetryFor: 30 * time.Second})
		var wg sync.WaitGroup
		errs := make([]error, calls)
		for i := range errs {
			wg.Go(func() { _, errs[i] = client.Get(t.Context(), "ns", "j") })
		}
		start := time.Now()
		wg.Wait()
		require.NoError(t, errors.Join(errs...), "the wait for a slot is not charged to RetryFor")
		require.LessOrEqual(t, time.Since(start), 2*calls*time.Second+time.Second, "pauses take no slot")
		require.EqualValues(t, 1, s.most.Load())
	})
}

// TestMaxInFlightContext: the wait for a slot ends with the context.
func TestMaxInFlightContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{status: ok}
		client := s.client(t, jobs.Options{MaxInFlight: 1})
		var wg sync.WaitGroup
		var first error
		wg.Go(func() { _, first = client.Get(t.Context(), "ns", "j") })
		synctest.Wait()
		cause := errors.New("worker shuts down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
		start := time.Now()
		_, err := client.Get(ctx, "ns", "j")
		require.ErrorIs(t, err, cause)
		require.Equal(t, 100*time.Millisecond, time.Since(start))
		wg.Wait()
		require.NoError(t, first)
		require.EqualValues(t, 1, s.requests.Load(), "the second was never sent")
	})
}

// TestCreatesLeaveRoom: neither a queue of creates nor creates that an overloaded API
// server rejects delay other requests.
func TestCreatesLeaveRoom(t *testing.T) {
	t.Parallel()
	for _, creates := range []int{http.StatusOK, http.StatusInternalServerError, http.StatusTooManyRequests} {
		for limit, want := range map[int]int64{2: 1, 4: 3, 64: 56} {
			synctest.Test(t, func(t *testing.T) {
				s := &server{status: ok, creates: creates}
				client := s.client(t, jobs.Options{MaxInFlight: limit})
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for i := range 400 {
					all.Go(func() {
						_, _ = acquire(ctx, client, changed(func(r *jobs.Request) { r.Step = fmt.Sprintf("step-%d", i) }))
					})
				}
				synctest.Wait()
				require.Equal(t, want, s.most.Load(), "creates at a time")
				for range 10 {
					began := time.Now()
					require.NoError(t, client.Cancel(t.Context(), "ns", "j", "u"))
					require.LessOrEqual(t, time.Since(began), 2*time.Second, "%d creates, answered with %d", 400, creates)
				}
				cancel()
				all.Wait()
			})
		}
	}
}
