package watch_test

import (
	"bytes"
	"context"
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

	"github.com/kontinue/kontinue/watch"
)

const bookmark = `{"type":"BOOKMARK","object":{"kind":"Job","apiVersion":"batch/v1","metadata":{"resourceVersion":"12"}}}` + "\n"

// lines is an API server without objects. The test writes what its watch of Jobs
// sends; its watch of Pods sends a bookmark each minute.
type lines struct {
	mu      sync.Mutex
	jobs    *io.PipeWriter
	refused atomic.Bool
	watches atomic.Int64
}

func (l *lines) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.refused.Load() {
		return nil, errors.New("connection refused")
	}
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	jobs := strings.HasSuffix(r.URL.Path, "/jobs")
	if r.URL.Query().Get("watch") == "" {
		kind := `"kind":"PodList","apiVersion":"v1"`
		if jobs {
			kind = `"kind":"JobList","apiVersion":"batch/v1"`
		}
		answer.Body = io.NopCloser(strings.NewReader(`{` + kind + `,"metadata":{"resourceVersion":"10"},"items":[]}`))
		return answer, nil
	}
	l.watches.Add(1)
	reader, writer := io.Pipe()
	answer.Body = reader
	if jobs {
		l.mu.Lock()
		l.jobs = writer
		l.mu.Unlock()
		return answer, nil
	}
	go func() {
		for {
			select {
			case <-time.After(time.Minute):
				if _, err := io.WriteString(writer, strings.Replace(strings.Replace(bookmark, "Job", "Pod", 1), "batch/v1", "v1", 1)); err != nil {
					return
				}
			case <-r.Context().Done():
				_ = writer.CloseWithError(r.Context().Err())
				return
			}
		}
	}()
	return answer, nil
}

func (l *lines) ofJobs() *io.PipeWriter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.jobs
}

// TestHealthIsTrueOfTheConnection: what the informers have not noticed yet.
func TestHealthIsTrueOfTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &lines{}
		var log bytes.Buffer
		w := watch.New(watch.Config{
			Clientset: over(t, watch.CloseIdle(3*time.Minute)(server).RoundTrip), Namespace: "ns", Handler: &recorder{},
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		t.Cleanup(func() { _ = w.Stop(context.Background()) })
		require.NoError(t, w.Start(t.Context()))
		said := func() string {
			synctest.Wait()
			text := log.String()
			log.Reset()
			return text
		}
		said()

		for range 120 { // an hour and more of bookmarks
			pass(time.Minute)
			_, err := io.WriteString(server.ofJobs(), bookmark)
			require.NoError(t, err)
			synctest.Wait()
			require.NoError(t, w.Healthy())
		}
		require.Empty(t, said())
		require.Equal(t, int64(2), server.watches.Load(), "a quiet namespace is no reason to connect again")

		pass(119 * time.Second)
		require.NoError(t, w.Healthy())
		pass(2 * time.Second)
		var failed *watch.Error
		require.ErrorAs(t, w.Healthy(), &failed)
		require.Equal(t, "watch", failed.Verb)
		require.Equal(t, "jobs", failed.Resource)
		require.ErrorContains(t, failed, "nothing came from the API server for 2m1s")
		pass(time.Minute)
		require.NoError(t, w.Healthy(), "the silent watch was replaced")
		require.Equal(t, int64(3), server.watches.Load())
		require.Contains(t, said(), "nothing came from the API server for too long")

		require.NoError(t, server.ofJobs().Close()) // in good order
		pass(time.Second)
		require.NoError(t, w.Healthy())
		require.NotContains(t, said(), "WARN")

		require.NoError(t, server.ofJobs().CloseWithError(errors.New("connection reset by peer")))
		require.Contains(t, said(), "connection reset by peer")
		pass(3 * time.Second)
		require.NoError(t, w.Healthy())

		server.refused.Store(true)
		require.NoError(t, server.ofJobs().Close())
		pass(3 * time.Second)
		require.ErrorContains(t, w.Healthy(), "connection refused")
		require.Equal(t, 1, strings.Count(said(), "WARN"), "not each time anew")
		server.refused.Store(false)
		pass(2 * time.Minute)
		require.NoError(t, w.Healthy())
		require.Contains(t, said(), "open again")
		require.NoError(t, w.Stop(t.Context()))
		require.Empty(t, said(), "its own end is nothing to warn of")
	})
}

// TestWatchThatIsNotOpenedAgain: the stream has ended and nothing has failed yet.
func TestWatchThatIsNotOpenedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &lines{}
		var hold atomic.Bool
		transport := transportFunc(func(r *http.Request) (*http.Response, error) {
			if hold.Load() {
				<-r.Context().Done()
				return nil, fmt.Errorf("given up: %w", r.Context().Err())
			}
			return server.RoundTrip(r)
		})
		w := watch.New(watch.Config{
			Clientset: over(t, watch.CloseIdle(3*time.Minute)(transport).RoundTrip), Namespace: "ns", Handler: &recorder{},
		})
		t.Cleanup(func() { _ = w.Stop(context.Background()) })
		require.NoError(t, w.Start(t.Context()))
		hold.Store(true)
		require.NoError(t, server.ofJobs().Close())
		pass(time.Second)
		require.NoError(t, w.Healthy())
		pass(4 * time.Second)
		require.ErrorContains(t, w.Healthy(), "ended 5s ago and is not open again")
		require.NoError(t, w.Stop(t.Context()))
	})
}

// TestWatchThatClientGoSentTwice: the first answer says when to come again.
func TestWatchThatClientGoSentTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &lines{}
		var refused atomic.Int64
		transport := transportFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("watch") != "" && refused.Add(1) <= 3 {
				return &http.Response{
					StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}},
					Body: io.NopCloser(strings.NewReader("busy")), Request: r,
				}, nil
			}
			return server.RoundTrip(r)
		})
		w := watch.New(watch.Config{
			Clientset: over(t, watch.CloseIdle(3*time.Minute)(transport).RoundTrip), Namespace: "ns", Handler: &recorder{},
		})
		t.Cleanup(func() { _ = w.Stop(context.Background()) })
		require.NoError(t, w.Start(t.Context()))
		require.Greater(t, refused.Load(), int64(3))
		pass(10 * time.Second)
		require.NoError(t, w.Healthy())
	})
}
