package watch

import (
	"errors"
	"net/http"
	"time"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/listwatch"
)

// ErrStopped is returned by Start after Stop.
var ErrStopped = errors.New("watch: stopped")

// Error is a request to list or watch that failed, or a watch that broke off.
// errors.As finds it in what [Watcher.Start], [Watcher.Healthy] and [Watcher.ListPods]
// return; it unwraps to the API server's or the transport's error.
type Error struct {
	Verb     string // "list" or "watch"
	Resource string // "jobs" or "pods"
	// Namespace is where; empty stands for all namespaces.
	Namespace string
	// Err is never nil.
	Err error
}

// Error names verb, resource and namespace, and how to grant a missing right.
func (e *Error) Error() string { return (*listwatch.Error)(e).Error() }

// Transient reports whether the same request may succeed when it is sent again.
func (e *Error) Transient() bool { return apicall.Transient(e.Err) }

// Unwrap returns the API server's or the transport's error.
func (e *Error) Unwrap() error { return e.Err }

// DefaultIdleTimeout is how long a watch may be silent. An API server sends a bookmark
// about once a minute, so three have been missed then.
const DefaultIdleTimeout = listwatch.DefaultIdleTimeout

// CloseIdle returns a transport wrapper, for rest.Config.Wrap, that ends a watch
// without data for d, and one without headers after 30 s, so that the informer opens
// a new one. It is the last resort against a peer, such as a load balancer, that
// answers HTTP/2 pings while its own upstream is gone; those pings find a dead
// connection earlier (after 45 s by default).
func CloseIdle(d time.Duration) func(http.RoundTripper) http.RoundTripper {
	return listwatch.CloseIdle(d)
}
