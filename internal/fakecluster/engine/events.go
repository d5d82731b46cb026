package engine

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Event describes an event about an object.
type Event struct {
	About           corev1.ObjectReference
	Type            string // corev1.EventTypeNormal or corev1.EventTypeWarning
	Reason, Message string
	Component       string
	Host            string // the node, for the kubelet's events
}

// RecordEvent stores e. An event that cannot be stored is dropped.
func RecordEvent(ctx context.Context, client kubernetes.Interface, e Event) {
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	namespace := e.About.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	event := &corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: namespace},
		InvolvedObject:      e.About,
		Type:                e.Type,
		Reason:              e.Reason,
		Message:             e.Message,
		Source:              corev1.EventSource{Component: e.Component, Host: e.Host},
		ReportingController: e.Component,
		ReportingInstance:   e.Host,
		FirstTimestamp:      now,
		LastTimestamp:       now,
		Count:               1,
	}
	// The name has the time in it, so that those of an object are listed in their order.
	for at := time.Now().UnixNano(); ; at++ {
		event.Name = fmt.Sprintf("%s.%x", e.About.Name, at)
		// Other errors are ignored: events are best-effort in a real cluster, too.
		if _, err := client.CoreV1().Events(namespace).Create(ctx, event, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
			return
		}
	}
}
