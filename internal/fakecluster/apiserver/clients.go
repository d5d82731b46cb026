package apiserver

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// namespacesClient adds the finalize subresource.
type namespacesClient struct {
	typedClient[*corev1.Namespace, *corev1.NamespaceList, *applycorev1.NamespaceApplyConfiguration]
}

// Finalize sets spec.finalizers; a deleted namespace without any is removed.
func (n namespacesClient) Finalize(ctx context.Context, ns *corev1.Namespace, opts metav1.UpdateOptions) (*corev1.Namespace, error) {
	return n.updateSub(ctx, "finalize", ns, opts)
}

// nodesClient adds PatchStatus.
type nodesClient struct {
	typedClient[*corev1.Node, *corev1.NodeList, *applycorev1.NodeApplyConfiguration]
}

// PatchStatus applies a strategic merge patch to the status.
func (n nodesClient) PatchStatus(ctx context.Context, name string, data []byte) (*corev1.Node, error) {
	return n.Patch(ctx, name, types.StrategicMergePatchType, data, metav1.PatchOptions{}, "status")
}

// eventsClient sends events to their own namespace, as event recorders do it.
type eventsClient struct {
	typedcorev1.EventExpansion
	typedClient[*corev1.Event, *corev1.EventList, *applycorev1.EventApplyConfiguration]
}

func (e eventsClient) in(ev *corev1.Event) eventsClient {
	if e.ns == "" {
		e.ns = ev.Namespace
	}
	return e
}

// CreateWithEventNamespace creates the event in its namespace.
func (e eventsClient) CreateWithEventNamespace(ev *corev1.Event) (*corev1.Event, error) {
	return e.CreateWithEventNamespaceWithContext(context.Background(), ev)
}

// CreateWithEventNamespaceWithContext creates the event in its namespace.
func (e eventsClient) CreateWithEventNamespaceWithContext(ctx context.Context, ev *corev1.Event) (*corev1.Event, error) {
	return e.in(ev).Create(ctx, ev, metav1.CreateOptions{})
}

// UpdateWithEventNamespace updates the event in its namespace.
func (e eventsClient) UpdateWithEventNamespace(ev *corev1.Event) (*corev1.Event, error) {
	return e.UpdateWithEventNamespaceWithContext(context.Background(), ev)
}

// UpdateWithEventNamespaceWithContext updates the event in its namespace.
func (e eventsClient) UpdateWithEventNamespaceWithContext(ctx context.Context, ev *corev1.Event) (*corev1.Event, error) {
	return e.in(ev).Update(ctx, ev, metav1.UpdateOptions{})
}

// PatchWithEventNamespace patches the event in its namespace.
func (e eventsClient) PatchWithEventNamespace(ev *corev1.Event, data []byte) (*corev1.Event, error) {
	return e.PatchWithEventNamespaceWithContext(context.Background(), ev, data)
}

// PatchWithEventNamespaceWithContext patches the event in its namespace.
func (e eventsClient) PatchWithEventNamespaceWithContext(ctx context.Context, ev *corev1.Event, data []byte) (*corev1.Event, error) {
	return e.in(ev).Patch(ctx, ev.Name, types.StrategicMergePatchType, data, metav1.PatchOptions{})
}

// reviewClient answers SelfSubjectAccessReviews.
type reviewClient struct{ c *Clientset }

// Create answers the review from the deny rules.
func (r reviewClient) Create(ctx context.Context, in *authorizationv1.SelfSubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SelfSubjectAccessReview, error) {
	c := call{user: r.c.user, verb: "create", res: accessReviews}
	return serve(ctx, r.c.s, c, func() (*authorizationv1.SelfSubjectAccessReview, error) { return r.c.s.review(r.c.user, in), nil })
}
