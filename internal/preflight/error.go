package preflight

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ErrMissing is wrapped by every [MissingError].
var ErrMissing = errors.New("rights are missing")

// MissingError is the error of a worker without all rights that it needs. It is an [ErrMissing],
// and a 403 for apierrors.IsForbidden.
type MissingError struct {
	// User is who lacks the rights, or empty if the API server did not say.
	User string
	// Denials are all that is missing.
	Denials []Denial
}

// maxNamespaces is how many namespaces an error names.
const maxNamespaces = 4

// Error names the rights and prints the Role that grants them.
func (e *MissingError) Error() string {
	rights, namespaces := e.rights()
	var b strings.Builder
	user := e.User
	if user == "" {
		user = "the worker"
	}
	names := make([]string, len(rights))
	for i, r := range rights {
		names[i] = r.String()
	}
	kind, place := "Role", "in all namespaces"
	if namespaces[0] == "" {
		kind = "ClusterRole"
	} else {
		place = "in namespace " + list(namespaces)
	}
	fmt.Fprintf(&b, "%v: %s cannot %s %s: bind this %s, a part of that in deploy/rbac.yaml:\n", ErrMissing, user, strings.Join(names, ", "), place, kind)
	fmt.Fprintf(&b, "apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata:\n  name: kontinue-worker\nrules:\n%s", kind, strings.TrimRight(Rules(rights), "\n"))
	return b.String()
}

// rights returns each missing right once, and the namespaces in which one is missing.
func (e *MissingError) rights() (rights []Right, namespaces []string) {
	for _, d := range e.Denials {
		if !slices.Contains(rights, d.Right) {
			rights = append(rights, d.Right)
		}
		if !slices.Contains(namespaces, d.Namespace) {
			namespaces = append(namespaces, d.Namespace)
		}
	}
	return rights, namespaces
}

// list returns the first namespaces and the number of the others.
func list(namespaces []string) string {
	if more := len(namespaces) - maxNamespaces; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(namespaces[:maxNamespaces], ", "), more)
	}
	return strings.Join(namespaces, ", ")
}

// Is reports whether target is [ErrMissing].
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

// Status returns the status of a 403, for apierrors.IsForbidden.
func (e *MissingError) Status() metav1.Status {
	return metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: e.Error()}
}
