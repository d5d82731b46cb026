package jobs

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/redact"
)

// Errors to test for with [errors.Is]. The messages around them name the object
// and say what to do.
var (
	// ErrInvalid: the request is faulty; nothing was sent.
	ErrInvalid = errors.New("invalid job")
	// ErrNameConflict: the Job's name is taken by an object that this Execution,
	// or this worker group, does not own. It was not touched.
	ErrNameConflict = errors.New("job name is taken by another object")
	// ErrJobDeleted: the Job is gone, or another object has its name now.
	ErrJobDeleted = errors.New("job was deleted")
)

// APIError is a request to the API server that failed, or whose answer was lost.
// It unwraps to the cause, so the functions of k8s.io/apimachinery/pkg/api/errors
// work on it. Its own text leaves out what the answer quotes of the submitted pod
// template that may be confidential: values of environment, commands, arguments,
// HTTP headers and annotations, and in a validation error (422) every value under
// spec.template. The text of the cause leaves out nothing.
type APIError struct {
	// Verb is the Kubernetes verb of the request, such as create.
	Verb string
	// Resource is jobs.batch, the form in which RBAC errors name it.
	Resource string
	// Namespace and Name name the object; Name is empty for a list.
	Namespace, Name string
	// Err is the cause, as client-go returned it.
	Err error

	secrets redact.Secrets
}

// Error names the request, the cause and what can be done about it.
func (e *APIError) Error() string {
	object := e.Namespace
	if e.Name != "" {
		object += "/" + e.Name
	}
	text := fmt.Sprintf("%s %s %s: %s", e.Verb, e.Resource, object, e.secrets.ErrorText(e.Err))
	if advice := e.Advice(); advice != "" {
		text += " (" + advice + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *APIError) Unwrap() error { return e.Err }

// Transient reports whether the same request may succeed when it is sent again.
func (e *APIError) Transient() bool { return apicall.Transient(e.Err) }

// OverQuota reports whether a ResourceQuota has no room: the request may succeed when
// other objects are gone, which cannot be promised.
func (e *APIError) OverQuota() bool {
	text := e.Err.Error()
	return apierrors.IsForbidden(e.Err) && (strings.Contains(text, "exceeded quota") ||
		strings.Contains(text, "insufficient quota to consume") || strings.Contains(text, "status unknown for quota"))
}

// Advice says what an operator can do; empty when the cause says it all.
func (e *APIError) Advice() string {
	var status apierrors.APIStatus
	if !errors.As(e.Err, &status) {
		return ""
	}
	switch {
	case apierrors.HasStatusCause(e.Err, corev1.NamespaceTerminatingCause):
		return fmt.Sprintf("namespace %s is being deleted: nothing can be created in it", e.Namespace)
	case e.OverQuota():
		return fmt.Sprintf("the ResourceQuota of namespace %s is used up: raise it, or wait until other objects are gone", e.Namespace)
	case apierrors.IsForbidden(e.Err) && strings.Contains(e.Err.Error(), "cannot "+e.Verb):
		return fmt.Sprintf("grant verb %s on %s in namespace %s to the worker's service account", e.Verb, e.Resource, e.Namespace)
	case apierrors.IsForbidden(e.Err):
		return "an admission rule of the cluster refuses it: change the spec or the rule"
	case apierrors.IsUnauthorized(e.Err):
		return "the API server does not accept the worker's credentials: renew them"
	case apierrors.IsNotFound(e.Err) && e.Verb == "create":
		return fmt.Sprintf("create namespace %s first", e.Namespace)
	case apierrors.IsRequestEntityTooLargeError(e.Err), apierrors.IsInternalError(e.Err) && !e.Transient():
		return "the Job is too large: move scripts and data to a ConfigMap or a volume"
	case e.Verb == "create" && (apierrors.IsInvalid(e.Err) || apierrors.IsBadRequest(e.Err)):
		return "the API server refuses the spec: correct the fields it names"
	}
	return ""
}

// unknown reports whether the server may have done what was asked although it did not
// say so: there was no answer, or it failed on the way.
func (e *APIError) unknown() bool {
	return e.Transient() && !apierrors.IsConflict(e.Err) && !apierrors.IsTooManyRequests(e.Err) && !apierrors.IsUnauthorized(e.Err)
}

func apiError(verb, namespace, name string, err error) *APIError {
	return &APIError{Verb: verb, Resource: "jobs.batch", Namespace: namespace, Name: name, Err: err}
}
