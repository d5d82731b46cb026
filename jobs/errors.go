package jobs

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/internal/redact"
)

// Errors to test for with [errors.Is]. The messages around them name the object
// and say what to do.
var (
	// ErrInvalid means that the request is invalid. Nothing was sent.
	ErrInvalid = errors.New("invalid job")
	// ErrNameConflict means that the Job's name is taken by an object that this
	// Execution, or this worker group, does not own. It was not touched.
	ErrNameConflict = errors.New("job name is taken by another object")
	// ErrMayExist means that a create may have taken effect although it failed.
	ErrMayExist = errors.New("may have been created: a resume will find it")
	// ErrJobDeleted means that the Job is gone, or that another object has its name.
	ErrJobDeleted = errors.New("job was deleted")
)

// APIError is a request to the API server that failed, or whose response was lost. It
// unwraps to the cause, so the functions of k8s.io/apimachinery/pkg/api/errors work on
// it. Its text omits values of the submitted pod template that the response quotes and
// that may be confidential: environment values, commands, arguments, HTTP headers and
// annotations, and in a validation error (422) every value under spec.template; and
// what a terminal would act on instead of showing it. The text of the cause omits
// nothing, except of a request for a Secret: its cause has no more of what the API server
// says than what can not quote the Secret.
type APIError struct {
	// Verb is the Kubernetes verb of the request, such as create.
	Verb string
	// Resource is jobs.batch or secrets, the form in which RBAC errors name it.
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
	text := fmt.Sprintf("%s %s %s: %s", e.Verb, e.Resource, object, plain.Text(e.secrets.ErrorText(e.Err)))
	if advice := e.Advice(); advice != "" {
		text += " (" + advice + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *APIError) Unwrap() error { return e.Err }

// Transient reports whether the same request may succeed when it is sent again.
func (e *APIError) Transient() bool { return apicall.Transient(e.Err) }

// OverQuota reports whether a ResourceQuota is exceeded. The request may succeed once
// other objects are deleted.
func (e *APIError) OverQuota() bool {
	text := e.Err.Error()
	return apierrors.IsForbidden(e.Err) && (strings.Contains(text, "exceeded quota") ||
		strings.Contains(text, "insufficient quota to consume") || strings.Contains(text, "status unknown for quota"))
}

// Advice says what an operator can do. It is empty if the cause is self-explanatory.
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
		advice := fmt.Sprintf("grant verb %s on %s in namespace %s to the worker's service account", e.Verb, e.Resource, e.Namespace)
		if e.Resource == secrets {
			advice += ", as deploy/rbac-optional.yaml does"
		}
		return advice
	case apierrors.IsForbidden(e.Err):
		if e.Resource == secrets {
			return "an admission rule of the cluster refuses it: the log of the API server or of the webhook says why"
		}
		return "an admission rule of the cluster refuses it: change the spec or the rule"
	case apierrors.IsUnauthorized(e.Err):
		return "the API server does not accept the worker's credentials: renew them"
	case apierrors.IsNotFound(e.Err) && e.Verb == "create":
		return fmt.Sprintf("create namespace %s first", e.Namespace)
	case apierrors.IsRequestEntityTooLargeError(e.Err), apierrors.IsInternalError(e.Err) && !e.Transient():
		if e.Resource == secrets {
			return "the files are too large: put some in the image or on a volume"
		}
		if e.Verb == "create" {
			return "the Job is too large: move scripts and data to a ConfigMap or a volume"
		}
		return noRoom
	case e.Verb == "patch" && apierrors.IsInvalid(e.Err) && strings.Contains(e.Err.Error(), "metadata.annotations: Too long"):
		return noRoom
	case e.Verb == "create" && e.Resource != secrets && (apierrors.IsInvalid(e.Err) || apierrors.IsBadRequest(e.Err)):
		return "the API server refuses the spec: correct the fields it names"
	}
	return ""
}

// noRoom is the advice for an annotation that the object has no room for.
const noRoom = "the Job has no room for it: remove annotations that others have put on it"

// unknown reports whether the request may have taken effect although it failed: there
// was no response, or the server failed while processing it.
func (e *APIError) unknown() bool {
	return e.Transient() && !apierrors.IsConflict(e.Err) && !apierrors.IsTooManyRequests(e.Err) && !apierrors.IsUnauthorized(e.Err)
}

func apiError(verb, namespace, name string, err error) *APIError {
	return &APIError{Verb: verb, Resource: "jobs.batch", Namespace: namespace, Name: name, Err: err}
}
