package testbed

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

// Script is the course of a pod: it is pending, then running, and then its container
// exits.
type Script struct {
	Pending, Running time.Duration
	ExitCode         int32
	// Message is the container's termination message.
	Message string
}

// Kubelet simulates a kubelet: it runs and ends pods by writing their status, which
// the real Job controller reads.
type Kubelet struct {
	ctx    context.Context
	client kubernetes.Interface
	script func(context.Context, *corev1.Pod) (Script, error)

	mu      sync.Mutex
	known   map[types.UID]bool
	err     error
	workers sync.WaitGroup
}

// NewKubelet returns a Kubelet that runs pods until ctx is done.
func NewKubelet(ctx context.Context, client kubernetes.Interface, script func(context.Context, *corev1.Pod) (Script, error)) *Kubelet {
	return &Kubelet{ctx: ctx, client: client, script: script, known: map[types.UID]bool{}}
}

// SyncPod starts a goroutine for a pod that is new, and returns at once. It is not an
// error if the pod is deleted before its script ends.
func (k *Kubelet) SyncPod(pod *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known[pod.UID] {
		return
	}
	k.known[pod.UID] = true
	k.workers.Go(func() {
		err := k.play(pod)
		if err == nil || k.ctx.Err() != nil || apierrors.IsNotFound(err) {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.err == nil {
			k.err = err
		}
	})
}

// Wait waits for the goroutines of all pods.
func (k *Kubelet) Wait() { k.workers.Wait() }

// Err returns the first error of any pod's goroutine.
func (k *Kubelet) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

func (k *Kubelet) play(pod *corev1.Pod) error {
	s, err := k.script(k.ctx, pod)
	if err != nil {
		return err
	}
	if !Pause(k.ctx, s.Pending) {
		return nil
	}
	now := metav1.Now()
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	if err := k.write(pod, corev1.PodRunning, now, running); err != nil {
		return err
	}
	if !Pause(k.ctx, s.Running) {
		return nil
	}
	phase, reason := corev1.PodSucceeded, "Completed"
	if s.ExitCode != 0 {
		phase, reason = corev1.PodFailed, "Error"
	}
	return k.write(pod, phase, now, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: s.ExitCode, Reason: reason, Message: s.Message, StartedAt: now, FinishedAt: metav1.Now(),
	}})
}

// writeTries bounds the attempts to write a status. A busy machine may respond later
// than the HTTP/2 pings of a storm allow.
const writeTries = 20

func (k *Kubelet) write(pod *corev1.Pod, phase corev1.PodPhase, start metav1.Time, state corev1.ContainerState) error {
	container := pod.Spec.Containers[0]
	patch, err := json.Marshal(map[string]any{"status": corev1.PodStatus{
		Phase: phase, StartTime: &start,
		ContainerStatuses: []corev1.ContainerStatus{{Name: container.Name, Image: container.Image, State: state}},
	}})
	if err != nil {
		return err
	}
	for range writeTries {
		_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(k.ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		if err == nil || apierrors.IsNotFound(err) || !Pause(k.ctx, time.Second) {
			return err
		}
	}
	return err
}

// Pause waits for a duration, and reports false if ctx is done before.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
