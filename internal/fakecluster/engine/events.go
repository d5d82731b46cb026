package engine

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	// The error is ignored: events are best-effort in a real cluster, too.
	_, _ = client.CoreV1().Events(namespace).Create(ctx, &corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{GenerateName: e.About.Name + ".", Namespace: namespace},
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
	}, metav1.CreateOptions{})
}
