package apiserver

import (
	"context"
	"io"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// Request is one API request as authorization and audit see it.
type Request struct {
	// User is the identity of the client.
	User string
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb string
	// Group is the API group, "" for the core group.
	Group string
	// Resource is the plural, with the subresource if there is one: "pods/log".
	Resource string
	// Namespace is "" for cluster-scoped resources and for all namespaces.
	Namespace string
	// Name is "" for create, list and watch without metadata.name.
	Name string
}

// call is a request that has been resolved to a resource.
type call struct {
	user string
	verb string
	res  *resource
	sub  string
	ns   string
	name string
	// own marks a write by the server as part of another request, which has been
	// admitted. It may change both spec and status.
	own bool
}

func (c call) request() Request {
	r := Request{User: c.user, Verb: c.verb, Group: c.res.gvr.Group, Resource: c.res.gvr.Resource, Namespace: c.ns, Name: c.name}
	if c.sub != "" {
		r.Resource += "/" + c.sub
	}
	return r
}

// serve runs one request: faults, authorization, the operation, audit.
func serve[R any](ctx context.Context, s *Server, c call, op func() (R, error)) (R, error) {
	var none R
	req := c.request()
	s.stats.request(req)
	result, err := func() (R, error) {
		if err := ctx.Err(); err != nil {
			return none, clientError(req, err)
		}
		fault := s.takeFault(req)
		if fault != nil && fault.Delay > 0 {
			timer := time.NewTimer(fault.Delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return none, clientError(req, ctx.Err())
			}
		}
		if fault != nil && fault.Before != nil {
			return none, fault.Before
		}
		if err := s.authorize(req); err != nil {
			return none, err
		}
		result, err := op()
		if err == nil && fault != nil && fault.After != nil {
			discard(result)
			return none, fault.After
		}
		return result, err
	}()
	s.notifyAudit(req, err)
	return result, err
}

// discard closes a stream that is not returned to the client.
func discard(result any) {
	switch r := result.(type) {
	case watch.Interface:
		r.Stop()
	case io.Closer:
		_ = r.Close()
	}
}

// clientError has the form of the error that net/http returns without a response.
func clientError(r Request, err error) error {
	op := map[string]string{"create": "Post", "update": "Put", "patch": "Patch", "delete": "Delete", "deletecollection": "Delete"}[r.Verb]
	if op == "" {
		op = "Get"
	}
	path := "/api/v1"
	if r.Group != "" {
		path = "/apis/" + r.Group + "/v1"
	}
	if r.Namespace != "" {
		path += "/namespaces/" + r.Namespace
	}
	path += "/" + r.Resource
	if r.Name != "" {
		path += "/" + r.Name
	}
	return &url.Error{Op: op, URL: "https://fake.invalid" + path, Err: err}
}
