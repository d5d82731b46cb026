package apiserver

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// host is the host of all requests, which is never resolved.
const host = "https://fake.invalid"

// Config returns the configuration of a client that acts as the user, over a transport
// in memory; "" is the default user, the program under test. It has client-go's own
// limit of 5 requests a second.
func (s *Server) Config(user string) *rest.Config {
	if user == "" {
		user = s.opts.User
	}
	return &rest.Config{Host: host, BearerToken: user, Transport: transport{s}}
}

// Clientset returns the client of the default user: the program under test.
func (s *Server) Clientset() kubernetes.Interface { return s.ClientsetAs(s.opts.User) }

// ClientsetAs returns a client that acts as the given user, without a limit of
// requests. Controllers use their own user, for example
// "system:kube-controller-manager", so that rules and faults for the program under test
// do not affect them.
func (s *Server) ClientsetAs(user string) kubernetes.Interface {
	s.clientsMu.Lock()
	defer s.clientsMu.Unlock()
	c := s.clients[user]
	if c == nil {
		config := s.Config(user)
		config.QPS = -1
		config.WarningHandlerWithContext = rest.NoWarnings{}
		c = kubernetes.NewForConfigOrDie(config)
		s.clients[user] = c
	}
	return c
}

// transport sends requests to a Server without a network. Its only goroutines are one
// for each open request; they wait for channels and conditions only, so that it works in
// a testing/synctest bubble.
type transport struct{ s *Server }

// errClosed is the error of a request that is open when the server closes, with the
// message of net/http.
var errClosed = errors.New("http2: server sent GOAWAY and closed the connection")

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	x := newConnection(ctx, cancel)
	t.s.connections.add(x)
	go func() {
		defer t.s.connections.remove(x)
		defer x.finish()
		if req.Body != nil {
			defer req.Body.Close()
		}
		t.s.ServeHTTP(x, req.WithContext(ctx))
	}()
	select {
	case <-x.started:
	case <-ctx.Done():
		x.canceled(ctx)
	}
	return x.response(ctx, req)
}

// connections are the open ones of a server.
type connections struct {
	mu   sync.Mutex
	open map[*connection]struct{}
}

func (c *connections) add(x *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*connection]struct{}{}
	}
	c.open[x] = struct{}{}
}

func (c *connections) remove(x *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, x)
	close(x.done)
}

// close ends what is open and waits for it.
func (c *connections) close() {
	c.mu.Lock()
	open := slices.Collect(maps.Keys(c.open))
	c.mu.Unlock()
	for _, x := range open {
		x.cancel(errClosed)
	}
	for _, x := range open {
		<-x.done
	}
}
