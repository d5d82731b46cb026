package listwatch_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/listwatch"
)

const bookmark = `{"type":"BOOKMARK","object":{"kind":"Job","apiVersion":"batch/v1","metadata":{"resourceVersion":"12"}}}` + "\n"

// server is an API server without Jobs. The test writes what its watch sends.
type server struct {
	mu             sync.Mutex
	open           *io.PipeWriter
	refused        atomic.Bool
	lists, watches atomic.Int64
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.refused.Load() {
		return nil, errors.New("connection refused")
	}
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	if r.URL.Query().Get("watch") == "" {
		s.lists.Add(1)
		answer.Body = io.NopCloser(strings.NewReader(`{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"10"},"items":[]}`))
		return answer, nil
	}
	s.watches.Add(1)
	reader, writer := io.Pipe()
	answer.Body = reader
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = writer
	return answer, nil
}

// stream is what the last watch sends.
func (s *server) stream() *io.PipeWriter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func idle(next http.RoundTripper) http.RoundTripper {
	return listwatch.CloseIdle(3 * time.Minute)(next)
}

// TestStateIsTrueOfTheConnection: even if the reflector has not noticed yet.
func TestStateIsTrueOfTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &server{}
		var log bytes.Buffer
		cfg := jobsOf(over(t, idle(server)))
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		lw, _, stop := start(t, cfg)
		logged := func() string {
			synctest.Wait()
			text := log.String()
			log.Reset()
			return text
		}
		opened, err := lw.State()
		require.True(t, opened)
		require.Nil(t, err)
		logged()

		for range 120 { // an hour and more of bookmarks
			pass(time.Minute)
			_, err := io.WriteString(server.stream(), bookmark)
			require.NoError(t, err)
			synctest.Wait()
			require.NoError(t, health(lw))
		}
		require.Empty(t, logged())
		require.Equal(t, int64(1), server.watches.Load(), "a quiet namespace is no reason to connect again")

		pass(119 * time.Second)
		require.NoError(t, health(lw))
		pass(2 * time.Second)
		var failed *listwatch.Error
		require.ErrorAs(t, health(lw), &failed)
		require.Equal(t, "watch", failed.Verb)
		require.Equal(t, "jobs", failed.Resource)
		require.ErrorContains(t, failed, "nothing came from the API server for 2m1s")
		pass(time.Minute)
		require.NoError(t, health(lw), "the silent watch was replaced")
		require.Equal(t, int64(2), server.watches.Load())
		require.Contains(t, logged(), "nothing came from the API server for too long")

		require.NoError(t, server.stream().Close()) // in good order
		pass(time.Second)
		require.NoError(t, health(lw))
		require.NotContains(t, logged(), "WARN")

		require.NoError(t, server.stream().CloseWithError(errors.New("connection reset by peer")))
		require.Contains(t, logged(), "connection reset by peer")
		pass(3 * time.Second)
		require.NoError(t, health(lw))

		server.refused.Store(true)
		require.NoError(t, server.stream().Close())
		pass(3 * time.Second)
		require.ErrorContains(t, health(lw), "connection refused")
		require.Equal(t, 1, strings.Count(logged(), "WARN"), "once, not for each try")
		server.refused.Store(false)
		pass(2 * time.Minute)
		require.NoError(t, health(lw))
		require.Contains(t, logged(), "open again")
		stop()
		require.Empty(t, logged(), "a stop is nothing to warn of")
	})
}

// TestWatchThatIsNotReopened: the stream has ended and no request has failed yet.
func TestWatchThatIsNotReopened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &server{}
		var hold atomic.Bool
		lw, _, _ := start(t, jobsOf(over(t, idle(transportFunc(func(r *http.Request) (*http.Response, error) {
			if hold.Load() {
				<-r.Context().Done()
				return nil, fmt.Errorf("given up: %w", r.Context().Err())
			}
			return server.RoundTrip(r)
		})))))
		hold.Store(true)
		require.NoError(t, server.stream().Close())
		pass(time.Second)
		require.NoError(t, health(lw))
		pass(4 * time.Second)
		require.ErrorContains(t, health(lw), "ended 5s ago and is not open again")
	})
}

// TestWatchThatClientGoSentTwice: the first responses have a Retry-After.
func TestWatchThatClientGoSentTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &server{}
		var refused atomic.Int64
		lw, _, _ := start(t, jobsOf(over(t, idle(transportFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("watch") != "" && refused.Add(1) <= 3 {
				return &http.Response{
					StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}},
					Body: io.NopCloser(strings.NewReader("busy")), Request: r,
				}, nil
			}
			return server.RoundTrip(r)
		})))))
		pass(20 * time.Second)
		require.Greater(t, refused.Load(), int64(3))
		require.NoError(t, health(lw))
	})
}

// TestSoonBackAfterManyOutages: the end of the tenth outage is noticed as quickly as that
// of the first, and a lost connection costs no list.
func TestSoonBackAfterManyOutages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &server{}
		lw, _, _ := start(t, jobsOf(over(t, idle(server))))
		for range 10 {
			pass(3 * time.Second) // a watch that ends within a second is another matter
			server.refused.Store(true)
			require.NoError(t, server.stream().CloseWithError(errors.New("http2: client connection lost")))
			pass(3 * time.Second)
			require.ErrorContains(t, health(lw), "connection refused")
			server.refused.Store(false)
			back := time.Now()
			for health(lw) != nil {
				pass(100 * time.Millisecond)
				require.LessOrEqual(t, time.Since(back), 6*time.Second)
			}
		}
		require.Equal(t, int64(1), server.lists.Load())
	})
}
