package apiserver

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// podsClient adds the subresources of pods.
type podsClient struct {
	typedClient[*corev1.Pod, *corev1.PodList, *applycorev1.PodApplyConfiguration]
}

var _ typedcorev1.PodInterface = podsClient{}

var errUnsupported = errors.New("the in-memory API server does not support this request")

// UpdateEphemeralContainers is not supported.
func (p podsClient) UpdateEphemeralContainers(context.Context, string, *corev1.Pod, metav1.UpdateOptions) (*corev1.Pod, error) {
	return &corev1.Pod{}, errUnsupported
}

// UpdateResize is not supported.
func (p podsClient) UpdateResize(context.Context, string, *corev1.Pod, metav1.UpdateOptions) (*corev1.Pod, error) {
	return &corev1.Pod{}, errUnsupported
}

// Evict is not supported: use EvictV1.
func (p podsClient) Evict(context.Context, *policyv1beta1.Eviction) error { return errUnsupported }

// EvictV1beta1 is not supported: use EvictV1.
func (p podsClient) EvictV1beta1(context.Context, *policyv1beta1.Eviction) error {
	return errUnsupported
}

// Bind assigns the pod to a node, as the scheduler does.
func (p podsClient) Bind(ctx context.Context, b *corev1.Binding, _ metav1.CreateOptions) error {
	c := p.call("create", "binding", b.Name)
	return p.c.exec(ctx, c, func() error { return p.c.s.bind(ctx, c, b) })
}

// EvictV1 evicts the pod.
func (p podsClient) EvictV1(ctx context.Context, e *policyv1.Eviction) error {
	c := p.call("create", "eviction", e.Name)
	return p.c.exec(ctx, c, func() error { return p.c.s.evict(ctx, c, e) })
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

type noProxy struct{ rest.ResponseWrapper }

// DoRaw implements rest.ResponseWrapper.
func (noProxy) DoRaw(context.Context) ([]byte, error) { return nil, errUnsupported }
