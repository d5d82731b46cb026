package kubelet

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Node describes a node of the cluster. A zero capacity is the default one:
// 64 CPUs, 256 GiB, any number of pods.
type Node struct {
	Name        string
	CPU, Memory resource.Quantity
	Pods        int
	Labels      map[string]string
}

// node is a Node in the running cluster. Its mutable fields are guarded by
// Kubelet.mu.
type node struct {
	Node
	ip     string
	dead   bool
	boots  int // how often it was started again
	pods   map[*podWorker]struct{}
	cpu    int64 // milli, requested by its pods
	memory int64 // bytes, requested by its pods
}

// AddNode adds a node; pods that did not fit are tried again.
func (k *Kubelet) AddNode(ctx context.Context, n Node) error {
	if n.CPU.IsZero() {
		n.CPU = resource.MustParse("64")
	}
	if n.Memory.IsZero() {
		n.Memory = resource.MustParse("256Gi")
	}
	k.mu.Lock()
	if k.nodes[n.Name] != nil {
		k.mu.Unlock()
		return fmt.Errorf("node %q exists already", n.Name)
	}
	added := &node{Node: n, ip: fmt.Sprintf("192.168.0.%d", 2+len(k.nodes)), pods: map[*podWorker]struct{}{}}
	k.nodes[n.Name] = added
	k.order = append(k.order, added)
	k.mu.Unlock()
	nodes, object := k.client.CoreV1().Nodes(), nodeObject(added, corev1.ConditionTrue)
	_, err := nodes.Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = nodes.UpdateStatus(ctx, object, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("creating node %s: %w", n.Name, err)
	}
	k.retryUnscheduled()
	return nil
}

// KillNode simulates the death of a node: its containers are dead, but their pods'
// status is no longer written and their deletion does not complete. The Node's Ready
// condition becomes Unknown.
func (k *Kubelet) KillNode(ctx context.Context, name string) error {
	return k.setDead(ctx, name, true, corev1.ConditionUnknown)
}

// RestartNode starts a node that KillNode has killed, as after a reboot: the kubelet
// reports that the containers are dead, completes the deletion of its pods, and takes
// new ones.
func (k *Kubelet) RestartNode(ctx context.Context, name string) error {
	if err := k.setDead(ctx, name, false, corev1.ConditionTrue); err != nil {
		return err
	}
	k.retryUnscheduled()
	return nil
}

func (k *Kubelet) setDead(ctx context.Context, name string, dead bool, ready corev1.ConditionStatus) error {
	k.mu.Lock()
	n := k.nodes[name]
	var pods []*podWorker
	if n != nil {
		if n.dead && !dead {
			n.boots++
		}
		n.dead = dead
		for w := range n.pods {
			pods = append(pods, w)
		}
	}
	k.mu.Unlock()
	if n == nil {
		return fmt.Errorf("there is no node %q", name)
	}
	for _, w := range pods {
		k.queue.Add(w.uid)
	}
	_, err := k.client.CoreV1().Nodes().UpdateStatus(ctx, nodeObject(n, ready), metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("writing the status of node %s: %w", name, err)
	}
	return nil
}

// RemoveNode kills a node and removes its Node object, upon which the pod
// garbage collector fails its pods (DisruptionTarget/DeletionByPodGC) and
// removes them by force.
func (k *Kubelet) RemoveNode(ctx context.Context, name string) error {
	if err := k.KillNode(ctx, name); err != nil {
		return err
	}
	if err := k.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting node %s: %w", name, err)
	}
	for _, pod := range k.cache.Pods.List() {
		if pod.Spec.NodeName != name {
			continue
		}
		if err := k.collectPod(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kubelet) collectPod(ctx context.Context, pod *corev1.Pod) error {
	pods := k.client.CoreV1().Pods(pod.Namespace)
	for !terminal(pod) {
		failed := pod.DeepCopy()
		failed.Status.Phase = corev1.PodFailed
		setCondition(&failed.Status, disruption("DeletionByPodGC", "PodGC: node no longer exists"), time.Now())
		updated, err := pods.UpdateStatus(ctx, failed, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			updated, err = pods.Get(ctx, pod.Name, metav1.GetOptions{})
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("failing pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		pod = updated
	}
	if err := pods.Delete(ctx, pod.Name, zero); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func nodeObject(n *node, ready corev1.ConditionStatus) *corev1.Node {
	capacity := corev1.ResourceList{corev1.ResourceCPU: n.CPU, corev1.ResourceMemory: n.Memory}
	if n.Pods > 0 {
		capacity[corev1.ResourcePods] = *resource.NewQuantity(int64(n.Pods), resource.DecimalSI)
	}
	reason := "KubeletReady"
	if ready != corev1.ConditionTrue {
		reason = "NodeStatusUnknown"
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels},
		Status: corev1.NodeStatus{
			Capacity:    capacity,
			Allocatable: capacity,
			Addresses:   []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.ip}},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: ready, Reason: reason, LastTransitionTime: seconds(time.Now()),
			}},
		},
	}
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
