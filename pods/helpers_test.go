package pods_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) metav1.Time {
	return metav1.Time{Time: epoch.Add(time.Duration(seconds) * time.Second)}
}

// option changes a new pod.
type option func(*corev1.Pod)

// pod returns a pod as the API server returns it after the Job's tracking finalizer
// was removed.
func pod(phase corev1.PodPhase, options ...option) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "step-abcde", UID: "uid-1"},
		Spec:       corev1.PodSpec{NodeName: "node-1", RestartPolicy: corev1.RestartPolicyNever},
		Status:     corev1.PodStatus{Phase: phase, StartTime: new(at(0))},
	}
	for _, o := range options {
		o(p)
	}
	return p
}

func exited(code int32, reason string, finished int, message string) corev1.ContainerState {
	t := &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}
	if finished > 0 {
		t.StartedAt, t.FinishedAt = at(1), at(finished)
	}
	return corev1.ContainerState{Terminated: t}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(1)}}
}

func status(name string, s corev1.ContainerState) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, Image: "registry.example/" + name + ":1", State: s}
}

// mainC adds a main container with secrets in the fields that must not be read.
func mainC(name string, s corev1.ContainerState) option {
	return func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{
			Name: name, Args: []string{canary}, Command: []string{canary},
			Env: []corev1.EnvVar{{Name: "TOKEN", Value: canary}},
		})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, status(name, s))
	}
}

const canary = "canary-secret"

func initC(name string, s corev1.ContainerState) option {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name})
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, status(name, s))
	}
}

func sidecarC(name string, s corev1.ContainerState) option {
	return func(p *corev1.Pod) {
		initC(name, s)(p)
		p.Spec.InitContainers[len(p.Spec.InitContainers)-1].RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	}
}

func reason(reason, message string) option {
	return func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = reason, message }
}

func condition(t corev1.PodConditionType, s corev1.ConditionStatus, reason, message string) option {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: t, Status: s, Reason: reason, Message: message})
	}
}

func deleting(p *corev1.Pod) { p.DeletionTimestamp = new(at(50)) }

func noSpec(p *corev1.Pod) { p.Spec.Containers, p.Spec.InitContainers = nil, nil }

func noStatus(p *corev1.Pod) {
	p.Status.ContainerStatuses, p.Status.InitContainerStatuses = nil, nil
}
