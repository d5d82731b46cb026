package kubelet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// schedule binds the pod to a node, or writes why it cannot be.
func (k *Kubelet) schedule(ctx context.Context, w *podWorker) error {
	pod := w.pod
	if pod.DeletionTimestamp != nil || terminal(pod) || w.boundTo != "" || len(pod.Spec.SchedulingGates) > 0 {
		return nil
	}
	now := time.Now()
	if w.firstSeen.IsZero() {
		w.firstSeen = now
	}
	if delayer, ok := k.runtime.(containers.Delayer); ok {
		if wait, message := delayer.Unschedulable(pod, now.Sub(w.firstSeen)); wait > 0 {
			k.queue.AddAfter(w.uid, wait)
			return k.refuse(ctx, w, message)
		}
	}
	refusal, err := k.bindClaims(ctx, w)
	if err != nil {
		return err
	}
	if refusal != "" {
		k.queue.AddAfter(w.uid, claimRetry)
		return k.refuse(ctx, w, refusal)
	}
	n, refusal := k.choose(w)
	if n == nil {
		return k.refuse(ctx, w, refusal)
	}
	err = k.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: n.Name},
	}, metav1.CreateOptions{})
	if err == nil {
		k.normalEvent(ctx, w, "default-scheduler", "", "Scheduled", fmt.Sprintf("Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, n.Name))
		return nil // the watch delivers the bound pod
	}
	k.mu.Lock()
	n.give(w)
	w.boundTo = ""
	k.mu.Unlock()
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("binding pod %s/%s: %w", pod.Namespace, pod.Name, err)
}

// choose reserves the first node that has room, or returns the scheduler's message
// why none has.
func (k *Kubelet) choose(w *podWorker) (*node, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	reasons := map[string]int{}
	for _, n := range k.order {
		why := n.refuses(w, k.share)
		if len(why) == 0 {
			n.take(w)
			w.boundTo = n.Name
			delete(k.unplaced, w.uid)
			return n, ""
		}
		for _, reason := range why {
			reasons[reason]++
		}
	}
	k.unplaced[w.uid] = struct{}{}
	var parts []string
	for reason, count := range reasons {
		parts = append(parts, fmt.Sprintf("%d %s", count, reason))
	}
	slices.Sort(parts)
	return nil, fmt.Sprintf("0/%d nodes are available: %s.", len(k.order), strings.Join(parts, ", "))
}

// refuse writes PodScheduled=False/Unschedulable and the scheduler's event.
func (k *Kubelet) refuse(ctx context.Context, w *podWorker, message string) error {
	if w.lastRefusal == message {
		return nil
	}
	pod := w.pod.DeepCopy()
	pod.Status.Phase = corev1.PodPending
	setCondition(&pod.Status, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: message,
	}, time.Now())
	updated, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing why pod %s/%s is not scheduled: %w", pod.Namespace, pod.Name, err)
	}
	w.lastRefusal = message
	k.cache.Pods.Put(updated)
	k.event(ctx, w, "default-scheduler", "FailedScheduling", message)
	return nil
}

// retryUnscheduled syncs the pods for which no node had room.
func (k *Kubelet) retryUnscheduled() {
	k.mu.Lock()
	uids := make([]types.UID, 0, len(k.unplaced))
	for uid := range k.unplaced {
		uids = append(uids, uid)
	}
	k.mu.Unlock()
	slices.Sort(uids)
	for _, uid := range uids {
		k.queue.Add(uid)
	}
}

// refuses returns why the pod does not fit, or nothing if it does.
func (n *node) refuses(w *podWorker, share bool) []string {
	if n.dead {
		return []string{"node(s) had untolerated taint {node.kubernetes.io/unreachable: }"}
	}
	for key, value := range w.pod.Spec.NodeSelector {
		if n.Labels[key] != value {
			return []string{"node(s) didn't match Pod's node affinity/selector"}
		}
	}
	cpu, memory := requests(&w.pod.Spec)
	var why []string
	usedCPU, usedMemory := int64(0), int64(0)
	if share {
		usedCPU, usedMemory = n.cpu, n.memory
	}
	if share && n.Pods > 0 && len(n.pods) >= n.Pods {
		why = append(why, "Too many pods")
	}
	if cpu > 0 && usedCPU+cpu > n.CPU.MilliValue() {
		why = append(why, "Insufficient cpu")
	}
	if memory > 0 && usedMemory+memory > n.Memory.Value() {
		why = append(why, "Insufficient memory")
	}
	return why
}

func (n *node) take(w *podWorker) {
	if _, ok := n.pods[w]; ok {
		return
	}
	cpu, memory := requests(&w.pod.Spec)
	n.pods[w] = struct{}{}
	n.cpu += cpu
	n.memory += memory
}

func (n *node) give(w *podWorker) bool {
	if _, ok := n.pods[w]; !ok {
		return false
	}
	cpu, memory := requests(&w.pod.Spec)
	delete(n.pods, w)
	n.cpu -= cpu
	n.memory -= memory
	return true
}

// requests returns the pod's requests: the sum over its main containers and sidecars,
// or the largest init container if that is more.
func requests(spec *corev1.PodSpec) (cpu, memory int64) {
	var initCPU, initMemory int64
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			cpu += c.Resources.Requests.Cpu().MilliValue()
			memory += c.Resources.Requests.Memory().Value()
			continue
		}
		initCPU = max(initCPU, cpu+c.Resources.Requests.Cpu().MilliValue())
		initMemory = max(initMemory, memory+c.Resources.Requests.Memory().Value())
	}
	for _, c := range spec.Containers {
		cpu += c.Resources.Requests.Cpu().MilliValue()
		memory += c.Resources.Requests.Memory().Value()
	}
	return max(cpu, initCPU), max(memory, initMemory)
}
