package fakecluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// CreateNamespace creates a namespace with the given labels.
func (c *Cluster) CreateNamespace(ctx context.Context, name string, labels map[string]string) error {
	_, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
	}, metav1.CreateOptions{})
	return err
}

// DeleteNamespace starts the deletion of a namespace and its contents.
func (c *Cluster) DeleteNamespace(ctx context.Context, name string) error {
	return c.client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
}

// CreateOwner creates a ConfigMap to own Jobs, and returns a controller reference to
// it.
func (c *Cluster) CreateOwner(ctx context.Context, namespace, name string) (metav1.OwnerReference, error) {
	owner, err := c.client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		return metav1.OwnerReference{}, err
	}
	return *metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap")), nil
}

// DeleteOwner makes the garbage collector treat the owner with that UID as deleted.
// The owner may be of any kind.
func (c *Cluster) DeleteOwner(uid types.UID) { c.controller.DeleteOwner(uid) }

// DeletePod deletes a pod with its own grace period, as "kubectl delete pod".
func (c *Cluster) DeletePod(ctx context.Context, namespace, name string) error {
	return c.client.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

// ForceDeletePod removes a pod from the API at once. Its tracking finalizer
// still holds it until the Job controller has counted it.
func (c *Cluster) ForceDeletePod(ctx context.Context, namespace, name string) error {
	grace := int64(0)
	return c.client.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
}

// EvictPod evicts a pod through the Eviction API, as kubectl drain does: the pod gets
// the condition DisruptionTarget/EvictionByEvictionAPI and is deleted.
func (c *Cluster) EvictPod(ctx context.Context, namespace, name string) error {
	return c.client.PolicyV1().Evictions(namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	})
}

// PressureEvictPod ends a pod as the kubelet does when its node runs out of
// memory: phase Failed, reason Evicted. An empty message is the usual one.
func (c *Cluster) PressureEvictPod(namespace, name, message string) error {
	return c.kubelet.Evict(namespace, name, message)
}

// AddNode adds a node to the cluster.
func (c *Cluster) AddNode(ctx context.Context, node kubelet.Node) error {
	return c.kubelet.AddNode(ctx, node)
}

// KillNode simulates a power failure of a node: the status of its pods no longer
// changes, and their deletion does not complete. The default node is "node-1".
func (c *Cluster) KillNode(ctx context.Context, name string) error {
	return c.kubelet.KillNode(ctx, name)
}

// RestartNode starts a node again that KillNode has killed, as after a reboot: the
// containers that ran there are dead.
func (c *Cluster) RestartNode(ctx context.Context, name string) error {
	return c.kubelet.RestartNode(ctx, name)
}

// RemoveNode kills a node and removes it from the cluster; the pod garbage
// collector then fails and removes its pods.
func (c *Cluster) RemoveNode(ctx context.Context, name string) error {
	return c.kubelet.RemoveNode(ctx, name)
}

// checkServiceAccount is the ServiceAccount admission plugin: the service account of a
// pod must exist. Each namespace has the account "default", also one that was never created.
func (c *Cluster) checkServiceAccount(ctx context.Context, a *apiserver.Attributes) error {
	pod, ok := a.Object.(*corev1.Pod)
	if !ok || a.Verb != "create" || a.Resource != "pods" {
		return nil
	}
	name := pod.Spec.ServiceAccountName
	if name == "" || name == "default" {
		return nil
	}
	_, err := c.client.CoreV1().ServiceAccounts(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return apierrors.NewForbidden(corev1.Resource("pods"), pod.Name,
			fmt.Errorf("error looking up service account %s/%s: serviceaccount %q not found", pod.Namespace, name, name))
	}
	return err
}
