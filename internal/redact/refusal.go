package redact

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Refusal returns the error of a request whose body is confidential as a whole, such as
// that of a Secret, without what the API server or a webhook may have quoted from the body.
// Any part of it may be quoted, in base64 and cut, so words are kept only where they can
// be no part of it: those of the API server itself about rights and quotas, and the names
// of webhooks. Code, reason and what a client is to do about it are those of the response.
// An error that is no response of the API server is returned as it is.
func Refusal(err error) error {
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		return err
	}
	status := api.Status()
	kept := metav1.Status{Status: status.Status, Code: status.Code, Reason: status.Reason, Message: ownWords(status)}
	if d := status.Details; d != nil {
		kept.Details = &metav1.StatusDetails{RetryAfterSeconds: d.RetryAfterSeconds}
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			kept.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
		}
	}
	return &apierrors.StatusError{ErrStatus: kept}
}

// ownWords returns what is kept of a message.
func ownWords(status metav1.Status) string {
	if status.Reason == metav1.StatusReasonForbidden {
		for _, form := range forbidden {
			if text := form.FindString(status.Message); text != "" {
				return text
			}
		}
	}
	text := fmt.Sprintf("the API server answered %d %s", status.Code, http.StatusText(int(status.Code)))
	if by := webhook.FindString(status.Message); by != "" {
		text += ": " + by
	}
	for _, tooLarge := range []string{"request is too large", "message larger than max"} {
		if strings.Contains(status.Message, tooLarge) {
			text += ": " + tooLarge
		}
	}
	return text + " (its message may quote the contents and is left out)"
}

// forbidden are the beginnings of the API server's own messages about rights and quotas.
var forbidden = []*regexp.Regexp{
	regexp.MustCompile(`^secrets( "[a-z0-9.-]+")? is forbidden: User "[^"]*" cannot [a-z]+ resource "secrets" in API group "" in the namespace "[a-z0-9-]+"`),
	regexp.MustCompile(`^secrets "[a-z0-9.-]+" is forbidden: exceeded quota: [a-z0-9.-]+, requested: [a-z/.=0-9,-]+, used: [a-z/.=0-9,-]+, limited: [a-z/.=0-9,-]+$`),
}

// webhook is the beginning of a message with the name of an admission webhook.
var webhook = regexp.MustCompile(`^(admission webhook|Internal error occurred: failed calling webhook) "[a-z0-9.-]{1,253}"`)
