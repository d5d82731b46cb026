package kubeclient

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Request is a request to the API server.
type Request struct {
	// Verb and Resource are those of the API server's own metrics and of RBAC: get, list,
	// watch, create, patch or delete, and jobs, pods or pods/log.
	Verb, Resource string
	// Code is the HTTP status of the response, and 0 if there was none.
	Code int
	// Duration is the time until the response began.
	Duration time.Duration
}

// observed calls a function with each request.
type observed struct {
	http.RoundTripper
	observe func(context.Context, Request)
}

func (o observed) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := o.RoundTripper.RoundTrip(req)
	r := RequestOf(req)
	r.Duration = time.Since(began)
	if err == nil {
		r.Code = response.StatusCode
	}
	o.observe(req.Context(), r)
	return response, err
}

// WrappedRoundTripper lets client-go find the transport below.
func (o observed) WrappedRoundTripper() http.RoundTripper { return o.RoundTripper }

// RequestOf reads verb and resource from
// /api/v1[/namespaces/NAMESPACE]/RESOURCE[/NAME[/SUBRESOURCE]], where /apis/GROUP/VERSION
// may take the place of /api/v1.
func RequestOf(req *http.Request) Request {
	path := req.URL.Path
	for _, root := range []string{"/apis/", "/api/"} {
		if i := strings.Index(path, root); i >= 0 { // after the path of a proxy
			path = path[i+1:]
			break
		}
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	drop := 2
	if parts[0] == "apis" {
		drop = 3
	}
	parts = parts[min(drop, len(parts)):]
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	r := Request{Verb: strings.ToLower(req.Method)}
	if len(parts) > 0 {
		r.Resource = parts[0]
	}
	if len(parts) > 2 {
		r.Resource += "/" + parts[2]
	}
	switch watch := req.URL.Query().Get("watch"); {
	case req.Method == http.MethodPost:
		r.Verb = "create"
	case req.Method == http.MethodPut:
		r.Verb = "update"
	case req.Method == http.MethodGet && (watch == "true" || watch == "1"):
		r.Verb = "watch"
	case req.Method == http.MethodGet && len(parts) == 1:
		r.Verb = "list"
	}
	return r
}
