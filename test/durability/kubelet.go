package durability

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// kubelet plays the node's part: it makes pods run and end by writing their
// status. The Job controller is the real one.
type kubelet struct {
	client kubernetes.Interface
	ctx    context.Context
	// pace is how long a pod is pending, and then runs, at most.
	pace time.Duration

	mu   sync.Mutex
	rnd  *rand.Rand
	seen map[types.UID]bool
	wait sync.WaitGroup
	errs chan error // of capacity 1: the first error
}

func newKubelet(ctx context.Context, client kubernetes.Interface, seed uint64, pace time.Duration) *kubelet {
	return &kubelet{
		client: client, ctx: ctx, pace: pace, rnd: rand.New(rand.NewPCG(seed, 3)),
		seen: map[types.UID]bool{}, errs: make(chan error, 1),
	}
}

// pod is told of a pod's changes and lives its life once.
func (k *kubelet) pod(_ watch.EventType, pod *corev1.Pod, s step, run int) {
	k.mu.Lock()
	known := k.seen[pod.UID]
	k.seen[pod.UID] = true
	var before, takes time.Duration
	if k.pace > 0 {
		before, takes = time.Duration(k.rnd.Int64N(int64(k.pace))), time.Duration(k.rnd.Int64N(int64(k.pace)))
	}
	k.mu.Unlock()
	if known {
		return
	}
	k.wait.Go(func() {
		if err := k.play(pod, s, run, before, takes); err != nil && k.ctx.Err() == nil && !apierrors.IsNotFound(err) {
			select {
			case k.errs <- err:
			default:
			}
		}
	})
}

func (k *kubelet) play(pod *corev1.Pod, s step, run int, before, takes time.Duration) error {
	if !pause(k.ctx, before) {
		return nil
	}
	now := metav1.Now()
	began := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	if err := k.write(pod, corev1.PodRunning, now, began); err != nil {
		return err
	}
	if !pause(k.ctx, takes) {
		return nil
	}
	phase, code, message := corev1.PodSucceeded, s.code(run), ""
	if index := pod.Annotations[batchv1.JobCompletionIndexAnnotation]; index != "" && index != strconv.Itoa(0) {
		code = 0
	}
	reason := "Completed"
	if code != 0 {
		phase, reason, message = corev1.PodFailed, "Error", logLine(s.name, run)
	}
	return k.write(pod, phase, now, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: now, FinishedAt: metav1.Now(),
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
	_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(k.ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// pause returns false when ctx has ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
