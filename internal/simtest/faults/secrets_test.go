package faults_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/simtest"
)

// refusing is an API server that has no objects and rejects every create.
type refusing struct{}

func (refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(code int, body string) (*http.Response, error) {
		return &http.Response{
			StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
	kind, version := "Pod", "v1"
	if strings.Contains(r.URL.Path, "/jobs") {
		kind, version = "Job", "batch/v1"
	}
	switch {
	case r.Method == http.MethodPost:
		return answer(http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"denied: not this image"}`)
	case r.URL.Query().Get("watch") != "":
		reader, writer := io.Pipe()
		go func() {
			<-r.Context().Done()
			_ = writer.CloseWithError(r.Context().Err())
		}()
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: reader, Request: r}, nil
	case strings.HasSuffix(r.URL.Path, "s"):
		return answer(http.StatusOK, `{"kind":"`+kind+`List","apiVersion":"`+version+`","metadata":{"resourceVersion":"10"},"items":[]}`)
	default:
		return answer(http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"not found"}`)
	}
}

// TestNoBodiesInTheLog: client-go logs the bodies of requests, at a level below
// Debug, to a handler that takes every level. Ours must not.
func TestNoBodiesInTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &simtest.Log{}
		client, err := kontinue.New(kontinue.Config{
			RESTConfig: &rest.Config{Host: "http://api", Transport: refusing{}}, Namespace: "ns",
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.Level(-20)})).With("app", "x").WithGroup("g"),
		})
		require.NoError(t, err)
		require.NoError(t, client.Start(t.Context()))
		defer func() { require.NoError(t, client.Stop(t.Context())) }()
		ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "e", UID: "uid"}})
		require.NoError(t, err)
		_, err = kontinue.RunPod(ktx, &kontinue.PodOptions{Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "c", Image: "alpine:3", Command: []string{"run", canary}, Env: []corev1.EnvVar{{Name: "PASSWORD", Value: canary}},
		}}}})
		var denied interface{ Advice() string }
		require.ErrorAs(t, err, &denied)
		require.NotContains(t, err.Error(), canary)
		require.Contains(t, log.String(), "level=DEBUG")
		require.NotContains(t, log.String(), canary)
		require.NotContains(t, log.String(), "Body")
	})
}
