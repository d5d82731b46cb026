package playground

import (
	"net/http"
	"strings"
	"sync"
)

// Requests counts requests by verb and resource.
type Requests map[Request]int

// Request is a verb and a resource as in RBAC rules, such as watch and jobs, or get
// and pods/log.
type Request struct{ Verb, Resource string }

// Count returns the number of requests with the verb for the resource.
func (r Requests) Count(verb, resource string) int { return r[Request{verb, resource}] }

// counter counts the requests that a client sends to a real API server.
type counter struct {
	mu       sync.Mutex
	requests Requests
}

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		res, err := next.RoundTrip(req)
		key := classify(req)
		// A rejected watch does not count: the client falls back to another request.
		if key.Verb != "watch" || err == nil && res.StatusCode == http.StatusOK {
			c.mu.Lock()
			c.requests[key]++
			c.mu.Unlock()
		}
		return res, err
	})
}

func (c *counter) snapshot() Requests {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := Requests{}
	for k, n := range c.requests {
		copied[k] = n
	}
	return copied
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// classify derives verb and resource from the URL, as the API server does:
// /api/v1/namespaces/NS/RESOURCE/NAME/SUBRESOURCE, or /apis/GROUP/VERSION/...
func classify(req *http.Request) Request {
	_, path, namespaced := strings.Cut(req.URL.Path, "/namespaces/")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if !namespaced || len(parts) < 2 {
		return Request{strings.ToLower(req.Method), req.URL.Path}
	}
	resource, named := parts[1], len(parts) > 2
	if len(parts) > 3 {
		resource += "/" + strings.Join(parts[3:], "/")
	}
	verb := strings.ToLower(req.Method)
	switch watch := req.URL.Query().Get("watch"); {
	case req.Method == http.MethodPost:
		verb = "create"
	case req.Method == http.MethodPut:
		verb = "update"
	case req.Method == http.MethodGet && (watch == "true" || watch == "1"):
		verb = "watch"
	case req.Method == http.MethodGet && !named:
		verb = "list"
	}
	return Request{verb, resource}
}
