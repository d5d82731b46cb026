package redact_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kontinue/kontinue/internal/redact"
)

var secretsResource = schema.GroupResource{Resource: "secrets"}

// refused is an answer of the API server.
func refused(code int32, reason metav1.StatusReason, message string) error {
	return fmt.Errorf("wrapped: %w", &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Name: "canary", Kind: "canary", RetryAfterSeconds: 7, Causes: []metav1.StatusCause{
			{Type: "FieldValueInvalid", Message: "canary", Field: "data[canary]"},
		}},
	}})
}

// TestRefusalQuotesNothing: neither in its text nor in what it wraps.
func TestRefusalQuotesNothing(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"decoder":             refused(400, metav1.StatusReasonBadRequest, `Secret in version "v1" cannot be handled as a Secret: illegal base64 data ...|"canary"|...`),
		"validation":          refused(422, metav1.StatusReasonInvalid, `Secret "x" is invalid: data[canary]: Invalid value`),
		"webhook":             refused(403, metav1.StatusReasonForbidden, `admission webhook "scan.example.com" denied the request: found canary`),
		"broken webhook":      refused(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "scan.example.com": canary`),
		"posing as RBAC":      refused(403, metav1.StatusReasonForbidden, `denied canary: secrets "x" is forbidden: User "a" cannot create resource "secrets" in API group "" in the namespace "ns"`),
		"RBAC and more":       refused(403, metav1.StatusReasonForbidden, `secrets is forbidden: User "a" cannot create resource "secrets" in API group "" in the namespace "ns": canary`),
		"posing as a quota":   refused(403, metav1.StatusReasonForbidden, `secrets "x" is forbidden: exceeded quota: q, requested: a=1, used: a=1, limited: a=1 canary`),
		"etcd":                refused(500, metav1.StatusReasonInternalError, `etcdserver: request is too large canary`),
		"something else":      refused(418, "", "canary"),
		"no details":          fmt.Errorf("%w", &apierrors.StatusError{ErrStatus: metav1.Status{Message: "canary"}}),
		"namespace is ending": refused(403, metav1.StatusReasonForbidden, "canary"),
	} {
		got := redact.Refusal(err)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", got, got, got), "canary", name)
		var status *apierrors.StatusError
		require.ErrorAs(t, got, &status, name)
		require.NotContains(t, fmt.Sprintf("%+v", status.ErrStatus), "canary", name)
		require.Equal(t, apierrors.ReasonForError(err), apierrors.ReasonForError(got), name)
	}
}

// TestRefusalKeepsWhatHelps: rights, quotas, the webhook's name, and what code decides by.
func TestRefusalKeepsWhatHelps(t *testing.T) {
	t.Parallel()
	rbac := `secrets is forbidden: User "system:serviceaccount:ns:worker" cannot create resource "secrets" in API group "" in the namespace "ns"`
	quota := `secrets "x-files" is forbidden: exceeded quota: small, requested: count/secrets=1,secrets=1, used: count/secrets=5,secrets=5, limited: count/secrets=5,secrets=5`
	for _, message := range []string{rbac, quota} {
		require.EqualError(t, redact.Refusal(refused(403, metav1.StatusReasonForbidden, message)), message)
	}
	require.ErrorContains(t, redact.Refusal(refused(403, metav1.StatusReasonForbidden, `admission webhook "scan.example.com" denied the request: x`)), `403 Forbidden: admission webhook "scan.example.com"`)
	require.ErrorContains(t, redact.Refusal(refused(500, metav1.StatusReasonInternalError, "etcdserver: request is too large")), "request is too large")

	busy := redact.Refusal(refused(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "later"))
	seconds, ok := apierrors.SuggestsClientDelay(busy)
	require.True(t, ok)
	require.Equal(t, 7, seconds)

	ending := apierrors.NewForbidden(secretsResource, "x", errors.New("the namespace is being terminated"))
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause, Message: "canary"}}
	got := redact.Refusal(ending)
	require.True(t, apierrors.HasStatusCause(got, corev1.NamespaceTerminatingCause))
	require.NotContains(t, fmt.Sprintf("%#v", got), "canary")

	lost := errors.New("EOF")
	require.Equal(t, lost, redact.Refusal(lost))
}
