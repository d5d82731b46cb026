package kubeclient_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/kubeclient"
)

// server answers with an empty list and a warning, and keeps the request.
type server struct{ last *http.Request }

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.last = r
	return &http.Response{
		StatusCode: http.StatusOK, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}, "Warning": {`299 - "job name is long"`}},
		Body:   io.NopCloser(strings.NewReader(`{"kind":"JobList","apiVersion":"batch/v1","items":[]}`)),
	}, nil
}

func TestDefaultsAndSettings(t *testing.T) {
	t.Parallel()
	const protobuf = "application/vnd.kubernetes.protobuf,application/json"
	for name, tc := range map[string]struct {
		config        rest.Config
		component     string
		accept, agent string
	}{
		"defaults":     {rest.Config{}, "kontinue/blue", protobuf, rest.DefaultKubernetesUserAgent() + " kontinue/blue"},
		"no component": {rest.Config{}, "", protobuf, rest.DefaultKubernetesUserAgent()},
		"settings": {
			rest.Config{UserAgent: "mine", ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, "kontinue/blue",
			"application/json, */*", "mine",
		},
	} {
		var log bytes.Buffer
		server := &server{}
		config := &tc.config
		config.Host, config.Transport, config.Timeout = "http://api", server, time.Minute
		before := rest.CopyConfig(config)
		client, err := kubeclient.New(config, kubeclient.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Component: tc.component})
		require.NoError(t, err, name)
		require.Equal(t, before, config, "%s: it works on a copy", name)
		for range 20 { // more than client-go's rate limit lets through at once
			_, err = client.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err, name)
		}
		_, bounded := server.last.Context().Deadline()
		require.False(t, bounded, "%s: the timeout is ignored", name)
		require.Equal(t, tc.accept, server.last.Header.Get("Accept"), name)
		require.Equal(t, tc.agent, server.last.Header.Get("User-Agent"), name)
		require.Contains(t, log.String(), `level=WARN msg="warning of the API server" text="job name is long"`, name)
	}
	client, err := kubeclient.New(&rest.Config{Host: "http://api:port"}, kubeclient.Options{})
	require.Error(t, err)
	require.Nil(t, client)
}

// TestRateLimit: none by default, and the caller's if there is one.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		qps   float32
		burst int
		want  time.Duration // of 21 requests
	}{
		"none":       {0, 0, 0},
		"qps":        {10, 0, time.Second}, // burst 11
		"with burst": {10, 1, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, err := kubeclient.New(&rest.Config{Host: "http://api", Transport: &server{}, QPS: tc.qps, Burst: tc.burst}, kubeclient.Options{})
			require.NoError(t, err)
			began := time.Now()
			for range 21 {
				_, err := client.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
				require.NoError(t, err)
			}
			require.InDelta(t, tc.want.Seconds(), time.Since(began).Seconds(), 0.01, name)
		})
	}
}

// TestSilentWatchIsClosed: the transport of package listwatch is in place.
func TestSilentWatchIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader, _ := io.Pipe()
		client, err := kubeclient.New(&rest.Config{Host: "http://api", Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: reader}, nil
		})}, kubeclient.Options{})
		require.NoError(t, err)
		w, err := client.BatchV1().Jobs("ns").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		began := time.Now()
		_, open := <-w.ResultChan()
		require.False(t, open)
		require.Equal(t, 3*time.Minute, time.Since(began))
	})
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestQuietLogger: client-go logs bodies below slog.LevelDebug.
func TestQuietLogger(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	all := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.Level(-20)}))
	quiet := kubeclient.QuietLogger(all)
	require.Same(t, quiet, kubeclient.QuietLogger(quiet))
	for _, l := range []*slog.Logger{quiet, quiet.With("a", 1), quiet.WithGroup("g")} {
		l.Log(context.Background(), slog.LevelDebug-1, "body")
		require.Empty(t, log.String())
		l.Debug("request")
		require.Contains(t, log.String(), "request")
		log.Reset()
	}
	require.False(t, kubeclient.QuietLogger(nil).Enabled(t.Context(), slog.LevelError))
	require.False(t, kubeclient.QuietLogger(slog.New(slog.NewTextHandler(&log, nil))).Enabled(t.Context(), slog.LevelDebug))
}
