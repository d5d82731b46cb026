package faults

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// kubelet plays the node's part: it makes pods run and end by writing their
// status, as the names of their steps say. The Job controller is the real one.
type kubelet struct {
	client kubernetes.Interface
	ctx    context.Context

	mu   sync.Mutex
	seen map[types.UID]bool
	wait sync.WaitGroup
	errs chan error // of capacity 1: the first error
}

func newKubelet(ctx context.Context, client kubernetes.Interface) *kubelet {
	return &kubelet{client: client, ctx: ctx, seen: map[types.UID]bool{}, errs: make(chan error, 1)}
}

// pod is told of a pod's changes and lives its life once.
func (k *kubelet) pod(pod *corev1.Pod) {
	k.mu.Lock()
	known := k.seen[pod.UID]
	k.seen[pod.UID] = true
	k.mu.Unlock()
	s, ok := parseStep(pod.Labels[stepLabel])
	if known || !ok {
		return
	}
	k.wait.Go(func() {
		if err := k.live(pod, s); err != nil && k.ctx.Err() == nil && !apierrors.IsNotFound(err) {
			select {
			case k.errs <- err:
			default:
			}
		}
	})
}

func (k *kubelet) live(pod *corev1.Pod, s step) error {
	now := metav1.Now()
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	if err := k.write(pod, corev1.PodRunning, now, running); err != nil {
		return err
	}
	if !pause(k.ctx, s.takes) {
		return nil
	}
	phase, reason := corev1.PodSucceeded, "Completed"
	if s.code != 0 {
		phase, reason = corev1.PodFailed, "Error"
	}
	return k.write(pod, phase, now, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: s.code, Reason: reason, Message: s.message(), StartedAt: now, FinishedAt: metav1.Now(),
	}})
}

func (k *kubelet) write(pod *corev1.Pod, phase corev1.PodPhase, began metav1.Time, state corev1.ContainerState) error {
	container := pod.Spec.Containers[0]
	patch, err := json.Marshal(map[string]any{"status": corev1.PodStatus{
		Phase: phase, StartTime: &began,
		ContainerStatuses: []corev1.ContainerStatus{{Name: container.Name, Image: container.Image, State: state}},
	}})
	if err != nil {
		return err
	}
	// A busy machine may take longer than the short pings of this process allow.
	for range writeTries {
		_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(k.ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		if err == nil || apierrors.IsNotFound(err) || !pause(k.ctx, time.Second) {
			return err
		}
	}
	return err
}

const writeTries = 20
