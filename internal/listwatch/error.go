package listwatch

import (
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/plain"
)

// Error is a LIST or WATCH that failed, or a watch that broke off. It unwraps to the
// API server's or the transport's error.
type Error struct {
	Verb      string // "list" or "watch"
	Resource  string // such as "jobs"
	Namespace string // empty for all namespaces
	Err       error  // never nil
}

// Error names verb, resource and namespace, and how to grant a missing right.
func (e *Error) Error() string {
	msg := fmt.Sprintf("%s %s %s: %s", e.Verb, e.Resource, In(e.Namespace), plain.Text(e.Err.Error()))
	switch {
	case apierrors.IsForbidden(e.Err) && e.Namespace == "":
		return msg + fmt.Sprintf(" (grant verb %q on resource %q in a ClusterRole that a ClusterRoleBinding binds)", e.Verb, e.Resource)
	case apierrors.IsForbidden(e.Err):
		return msg + fmt.Sprintf(" (grant verb %q on resource %q in a Role of that namespace)", e.Verb, e.Resource)
	case apierrors.IsUnauthorized(e.Err):
		return msg + " (the API server does not accept these credentials)"
	default:
		return msg
	}
}

// In says where a request is for: a namespace, of which an empty one stands for all.
func In(namespace string) string {
	if namespace == "" {
		return "in all namespaces"
	}
	return fmt.Sprintf("in namespace %q", namespace)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Denied reports whether a right or valid credentials are missing: neither changes in
// the seconds that a start may take.
func (e *Error) Denied() bool {
	return apierrors.IsForbidden(e.Err) || apierrors.IsUnauthorized(e.Err)
}

// cause returns the text without the request's URL, which differs for each watch.
func (e *Error) cause() string {
	var request *url.Error
	if errors.As(e.Err, &request) {
		return request.Err.Error()
	}
	return e.Err.Error()
}
