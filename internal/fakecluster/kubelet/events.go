package kubelet

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// event records a warning about the pod.
func (k *Kubelet) event(ctx context.Context, w *podWorker, component, reason, message string) {
	k.record(ctx, w, corev1.EventTypeWarning, component, "", reason, message)
}

// normalEvent records an event about the pod, or about the part of it at fieldPath, if such
// events are recorded.
func (k *Kubelet) normalEvent(ctx context.Context, w *podWorker, component, fieldPath, reason, message string) {
	if k.opts.NormalEvents {
		k.record(ctx, w, corev1.EventTypeNormal, component, fieldPath, reason, message)
	}
}

// note keeps an event about the container until recordNotes.
func (w *podWorker) note(c *container, reason, message string) {
	w.notes = append(w.notes, note{fieldPath(c), reason, message})
}

// note is an event that is not recorded yet.
type note struct{ fieldPath, reason, message string }

// recordNotes records the events that the worker has kept.
func (k *Kubelet) recordNotes(ctx context.Context, w *podWorker) {
	for _, n := range w.notes {
		k.normalEvent(ctx, w, "kubelet", n.fieldPath, n.reason, n.message)
	}
	w.notes = w.notes[:0]
}

// fieldPath returns the path of the container in its pod, as events have it.
func fieldPath(c *container) string {
	list := "initContainers"
	if c.role == containers.RoleMain {
		list = "containers"
	}
	return fmt.Sprintf("spec.%s{%s}", list, c.spec.Name)
}

func (k *Kubelet) record(ctx context.Context, w *podWorker, kind, component, fieldPath, reason, message string) {
	host := ""
	if w.node != nil {
		host = w.node.Name
	}
	engine.RecordEvent(ctx, k.client, engine.Event{
		About: corev1.ObjectReference{
			Kind: "Pod", APIVersion: "v1", Namespace: w.pod.Namespace, Name: w.pod.Name,
			UID: w.pod.UID, ResourceVersion: w.pod.ResourceVersion, FieldPath: fieldPath,
		},
		Type: kind, Reason: reason, Message: message, Component: component, Host: host,
	})
}
