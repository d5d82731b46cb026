package scenarios_test

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeName is the name of the only node.
const nodeName = "node-1"

// KillNode kills the node and evicts its pods as the node controller does when the
// node has been silent for too long, at once.
func (c *memoryCluster) KillNode(ctx context.Context) error {
	if err := c.Cluster.KillNode(ctx, nodeName); err != nil {
		return err
	}
	list, err := c.Admin().CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		pod := &list.Items[i]
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
			Reason: "DeletionByTaintManager", Message: "Taint manager: deleting due to NoExecute taint",
		})
		pods := c.Admin().CoreV1().Pods(pod.Namespace)
		if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("evict pod %s: %w", pod.Name, err)
		}
		if err := pods.Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("evict pod %s: %w", pod.Name, err)
		}
	}
	return nil
}

// RestartNode starts the node again.
func (c *memoryCluster) RestartNode(ctx context.Context) error {
	return c.Cluster.RestartNode(ctx, nodeName)
}
