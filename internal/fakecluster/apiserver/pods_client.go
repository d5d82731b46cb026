package apiserver

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
)

// podsClient adds the subresources of pods.
type podsClient struct {
	typedClient[*corev1.Pod, *corev1.PodList, *applycorev1.PodApplyConfiguration]
}

var _ typedcorev1.PodInterface = podsClient{}

// UpdateEphemeralContainers replaces the ephemeral containers.
func (p podsClient) UpdateEphemeralContainers(ctx context.Context, name string, pod *corev1.Pod, opts metav1.UpdateOptions) (*corev1.Pod, error) {
	return p.updateSub(ctx, "ephemeralcontainers", pod, opts)
}

// UpdateResize changes the containers' resources.
func (p podsClient) UpdateResize(ctx context.Context, name string, pod *corev1.Pod, opts metav1.UpdateOptions) (*corev1.Pod, error) {
	return p.updateSub(ctx, "resize", pod, opts)
}

// Bind assigns the pod to a node, as the scheduler does.
func (p podsClient) Bind(ctx context.Context, b *corev1.Binding, opts metav1.CreateOptions) error {
	c := p.call("create", "binding", b.Name)
	return p.post(ctx, c, b, opts, func() error { return p.c.s.bind(ctx, c, b) })
}

// Evict asks for the eviction of the pod.
func (p podsClient) Evict(ctx context.Context, e *policyv1beta1.Eviction) error {
	return p.EvictV1beta1(ctx, e)
}

// EvictV1 asks for the eviction of the pod.
func (p podsClient) EvictV1(ctx context.Context, e *policyv1.Eviction) error {
	c := p.call("create", "eviction", e.Name)
	return p.post(ctx, c, e, metav1.CreateOptions{}, func() error { return p.c.s.evict(ctx, c, e) })
}

// EvictV1beta1 asks for the eviction of the pod.
func (p podsClient) EvictV1beta1(ctx context.Context, e *policyv1beta1.Eviction) error {
	c := p.call("create", "eviction", e.Name)
	return p.post(ctx, c, e, metav1.CreateOptions{}, func() error { return p.c.s.evict(ctx, c, e) })
}

func (p podsClient) post(ctx context.Context, c call, body runtime.Object, opts metav1.CreateOptions, op func() error) error {
	_, err := intercept(p.c, c, func() clienttesting.Action {
		return clienttesting.NewCreateSubresourceActionWithOptions(p.res.gvr, c.name, c.sub, p.ns, body, opts)
	}, func() (runtime.Object, error) {
		return serve(ctx, p.c.s, c, func() (runtime.Object, error) { return nil, op() })
	})
	return err
}

// GetLogs returns a request like the real client's, served without a network.
func (p podsClient) GetLogs(name string, opts *corev1.PodLogOptions) *rest.Request {
	if opts == nil {
		opts = &corev1.PodLogOptions{}
	}
	return newLogRequest(p.c, p.ns, name, opts)
}

// ProxyGet is not supported.
func (p podsClient) ProxyGet(_, _, _, _ string, _ map[string]string) rest.ResponseWrapper {
	return noProxy{}
}

var errNoProxy = errors.New("the in-memory API server has no pod proxy")

type noProxy struct{ rest.ResponseWrapper }

// DoRaw implements rest.ResponseWrapper.
func (noProxy) DoRaw(context.Context) ([]byte, error) { return nil, errNoProxy }
