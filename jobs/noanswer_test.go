package jobs_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/jobs"
)

// silent is a connection without a response to the first requests of one method, like a
// proxy that has lost its upstream. The server responds to the others.
type silent struct {
	server
	method string
	first  int
	sent   map[string]int
}

func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.sent[r.Method]++
	if r.Method == s.method && s.sent[r.Method] <= s.first {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.server.RoundTrip(r)
}

func newSilent(t *testing.T, method string, first int, o jobs.Options) (*silent, *jobs.Client) {
	t.Helper()
	s := &silent{server: server{status: ok}, method: method, first: first, sent: map[string]int{}}
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: "https://api.example.com", Transport: s, QPS: -1})
	require.NoError(t, err)
	client := jobs.NewClient(clientset, o)
	t.Cleanup(func() { require.NoError(t, client.Close(context.Background())) })
	return s, client
}

// TestNoAnswer: a request without a response is abandoned and sent again.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method string
		call   func(context.Context, *jobs.Client) error
	}{
		"get":  {http.MethodGet, func(ctx context.Context, c *jobs.Client) error { _, err := c.Get(ctx, "ns", "j"); return err }},
		"list": {http.MethodGet, func(ctx context.Context, c *jobs.Client) error { _, err := c.List(ctx, "ns", ""); return err }},
		"ttl": {http.MethodPatch, func(ctx context.Context, c *jobs.Client) error {
			return c.Retire(ctx, "ns", "j", "u", new(int32(60)), nil)
		}},
		"cancel": {http.MethodPatch, func(ctx context.Context, c *jobs.Client) error { return c.Cancel(ctx, "ns", "j", "u") }},
		"record": {http.MethodPatch, func(ctx context.Context, c *jobs.Client) error {
			_, _, err := c.SaveRecord(ctx, "ns", "j", "u", "{}", nil)
			return err
		}},
		"delete": {http.MethodDelete, func(ctx context.Context, c *jobs.Client) error { return c.Delete(ctx, "ns", "j", "another") }},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, client := newSilent(t, tc.method, 1, jobs.Options{})
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			start := time.Now()
			require.NoError(t, tc.call(ctx, client), name)
			require.GreaterOrEqual(t, s.sent[tc.method], 2, name)
			require.GreaterOrEqual(t, time.Since(start), time.Minute, "%s: an API server may take a minute", name)
			require.Less(t, time.Since(start), 90*time.Second, name)
		})
	}
}

// TestNoAnswerToCreate: the Job may exist, so it is looked up.
func TestNoAnswerToCreate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, client := newSilent(t, http.MethodPost, 1, jobs.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		_, err := acquire(ctx, client, request())
		// The lookup finds the server's Job j, which has no owner.
		require.ErrorIs(t, err, jobs.ErrNameConflict)
		require.Equal(t, map[string]int{http.MethodPost: 1, http.MethodGet: 1}, s.sent)
	})
}

// TestNoAnswerAtAll: the call ends with an error about the API server, and not about the
// caller's context.
func TestNoAnswerAtAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client := newSilent(t, http.MethodGet, 100, jobs.Options{})
		start := time.Now()
		_, err := client.Get(t.Context(), "ns", "j")
		require.ErrorContains(t, err, "no answer within 1m15s")
		require.ErrorContains(t, err, "gave up after 2 tries")
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		var api *jobs.APIError
		require.ErrorAs(t, err, &api)
		require.True(t, api.Transient())
		require.Less(t, time.Since(start), 3*time.Minute)

		_, client = newSilent(t, http.MethodPost, 100, jobs.Options{RetryFor: time.Minute})
		_, err = acquire(t.Context(), client, request())
		require.ErrorIs(t, err, jobs.ErrNameConflict, "the Job is looked up, however long the create took")
	})
}

// TestNoAnswerContext: the end of the caller's context ends the request, and is the error.
func TestNoAnswerContext(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{time.Second, 75 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			_, client := newSilent(t, http.MethodPost, 100, jobs.Options{})
			cause := errors.New("worker shuts down")
			ctx, cancel := context.WithTimeoutCause(t.Context(), after, cause)
			defer cancel()
			start := time.Now()
			_, err := acquire(ctx, client, request())
			require.ErrorIs(t, err, cause)
			require.ErrorContains(t, err, "may have been created: a resume will find it")
			require.Equal(t, after, time.Since(start))
		})
	}
}
