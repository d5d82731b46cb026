package playground

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequestsAreCountedByVerbAndResource(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, url string
		want        Request
	}{
		"create":       {http.MethodPost, "/apis/batch/v1/namespaces/ns/jobs?fieldManager=x", Request{"create", "jobs"}},
		"get":          {http.MethodGet, "/apis/batch/v1/namespaces/ns/jobs/a", Request{"get", "jobs"}},
		"list":         {http.MethodGet, "/apis/batch/v1/namespaces/ns/jobs?labelSelector=a%3Db", Request{"list", "jobs"}},
		"watch":        {http.MethodGet, "/apis/batch/v1/namespaces/ns/jobs?watch=true", Request{"watch", "jobs"}},
		"watch pods":   {http.MethodGet, "/api/v1/namespaces/ns/pods?watch=1", Request{"watch", "pods"}},
		"no watch":     {http.MethodGet, "/api/v1/namespaces/ns/pods?watch=false", Request{"list", "pods"}},
		"log":          {http.MethodGet, "/api/v1/namespaces/ns/pods/p/log?tailLines=20", Request{"get", "pods/log"}},
		"patch":        {http.MethodPatch, "/apis/batch/v1/namespaces/ns/jobs/a", Request{"patch", "jobs"}},
		"status":       {http.MethodPut, "/apis/batch/v1/namespaces/ns/jobs/a/status", Request{"update", "jobs/status"}},
		"delete":       {http.MethodDelete, "/apis/batch/v1/namespaces/ns/jobs/a", Request{"delete", "jobs"}},
		"behind proxy": {http.MethodGet, "/k8s/clusters/c/api/v1/namespaces/ns/pods/p", Request{"get", "pods"}},
		"elsewhere":    {http.MethodGet, "/version", Request{"get", "/version"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := counter{requests: Requests{}}
			require.NoError(t, send(t, &c, tc.method, tc.url, http.StatusOK))
			require.Equal(t, Requests{tc.want: 1}, c.snapshot())
		})
	}
}

func TestRejectedWatchDoesNotCount(t *testing.T) {
	t.Parallel()
	c := counter{requests: Requests{}}
	const jobs = "/apis/batch/v1/namespaces/ns/jobs"
	require.NoError(t, send(t, &c, http.MethodGet, jobs+"?watch=true", http.StatusForbidden))
	require.NoError(t, send(t, &c, http.MethodGet, jobs, http.StatusForbidden))
	require.ErrorIs(t, send(t, &c, http.MethodGet, jobs+"?watch=true", 0), io.ErrUnexpectedEOF)
	require.Equal(t, Requests{{"list", "jobs"}: 1}, c.snapshot())
	require.NoError(t, send(t, &c, http.MethodGet, jobs+"?watch=true", http.StatusOK))
	require.Equal(t, 1, c.snapshot().Count("watch", "jobs"))
}

// send sends a request. The response has the given status; for 0 there is none.
func send(t *testing.T, c *counter, method, url string, status int) error {
	t.Helper()
	transport := c.wrap(roundTripper(func(*http.Request) (*http.Response, error) {
		if status == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
	}))
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.example"+url, nil)
	require.NoError(t, err)
	res, err := transport.RoundTrip(req)
	if res != nil {
		require.NoError(t, res.Body.Close())
	}
	return err
}
