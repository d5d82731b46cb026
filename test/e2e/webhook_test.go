package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/scenarios"
)

// Intercept serves a validating webhook from this process.
func (c *realCluster) Intercept(ctx context.Context, t *testing.T, namespace string, answer func() scenarios.Answer) error {
	t.Helper()
	listener, err := shared.own.ListenInside(ctx)
	if err != nil {
		return err
	}
	certificate, err := shared.own.ServingCertificate()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Handler:   review(answer),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		err := c.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(context.Background(), namespace, metav1.DeleteOptions{})
		if err = errors.Join(err, server.Close()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	_, err = c.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: scenarios.WebhookName,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: new("https://" + listener.Addr().String()), CABundle: shared.own.CA(),
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}},
			}},
			FailurePolicy:           new(admissionregistrationv1.Fail),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	return err
}

// review returns the handler of the API server's requests.
func review(answer func() scenarios.Answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer := answer()
		if answer.Broken {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: answer.Deny == ""}
		if answer.Deny != "" {
			review.Response.Result = &metav1.Status{Message: answer.Deny, Code: http.StatusForbidden}
		}
		_ = json.NewEncoder(w).Encode(review)
	}
}
