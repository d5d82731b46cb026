package kubeclient

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequestOf(t *testing.T) {
	t.Parallel()
	for want, request := range map[string][2]string{
		"list jobs":      {http.MethodGet, "/apis/batch/v1/namespaces/ns/jobs?labelSelector=a"},
		"list pods":      {http.MethodGet, "/api/v1/pods"},
		"watch pods":     {http.MethodGet, "/api/v1/namespaces/ns/pods?watch=true"},
		"watch jobs":     {http.MethodGet, "https://host/k8s/clusters/c-1/apis/batch/v1/jobs?allowWatchBookmarks=true&watch=1"},
		"get jobs":       {http.MethodGet, "/apis/batch/v1/namespaces/ns/jobs/a"},
		"get pods/log":   {http.MethodGet, "/api/v1/namespaces/ns/pods/a/log?follow=true"},
		"create jobs":    {http.MethodPost, "/apis/batch/v1/namespaces/ns/jobs"},
		"patch jobs":     {http.MethodPatch, "/apis/batch/v1/namespaces/ns/jobs/a"},
		"delete jobs":    {http.MethodDelete, "/apis/batch/v1/namespaces/ns/jobs/a"},
		"get namespaces": {http.MethodGet, "/api/v1/namespaces/ns"},
		"get ":           {http.MethodGet, "/api"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), request[0], request[1], http.NoBody)
		require.NoError(t, err)
		got := RequestOf(req)
		require.Equal(t, want, got.Verb+" "+got.Resource)
	}
}

type roundTrip func() (*http.Response, error)

func (f roundTrip) RoundTrip(*http.Request) (*http.Response, error) { return f() }

func TestObserved(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods", http.NoBody)
	require.NoError(t, err)
	var got []int
	observe := func(_ context.Context, r Request) { got = append(got, r.Code) }
	broken := errors.New("no route")
	_, err = observed{roundTrip(func() (*http.Response, error) { return nil, broken }), observe}.RoundTrip(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, broken)
	response, err := observed{roundTrip(func() (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusTooManyRequests, Body: http.NoBody}, nil
	}), observe}.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, []int{0, 429}, got)
}
