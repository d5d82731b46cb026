package controller

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// recorder writes the Job controller's events, on a best-effort basis.
type recorder struct {
	client kubernetes.Interface
	normal bool
}

func (r recorder) normalEvent(ctx context.Context, job *batchv1.Job, reason, message string) {
	if r.normal {
		r.record(ctx, job, corev1.EventTypeNormal, reason, message)
	}
}

func (r recorder) warning(ctx context.Context, job *batchv1.Job, reason, message string) {
	r.record(ctx, job, corev1.EventTypeWarning, reason, message)
}

func (r recorder) record(ctx context.Context, job *batchv1.Job, kind, reason, message string) {
	engine.RecordEvent(ctx, r.client, engine.Event{
		About: corev1.ObjectReference{
			Kind: "Job", APIVersion: batchv1.SchemeGroupVersion.String(),
			Namespace: job.Namespace, Name: job.Name, UID: job.UID, ResourceVersion: job.ResourceVersion,
		},
		Type: kind, Reason: reason, Message: message, Component: "job-controller",
	})
}

// foreground is the propagation policy of the TTL controller.
var foreground = metav1.DeletePropagationForeground
