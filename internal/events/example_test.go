package events_test

import (
	"context"
	"fmt"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/internal/events"
)

func Example() {
	client := fake.NewClientset(&corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "ns", Name: "migrate.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "migrate", UID: "1b4e28ba"},
		Type:           corev1.EventTypeWarning, Reason: "FailedCreate", Message: "exceeded quota: pods",
	})
	reason, message, err := events.NewReader(client, slog.New(slog.DiscardHandler)).Warning(context.Background(), "ns", "1b4e28ba")
	fmt.Println(reason, message, err)
	// Output: FailedCreate exceeded quota: pods <nil>
}
