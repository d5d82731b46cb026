package pods

import (
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Restore rebuilds a pod from its recorded outcome: name, UID, node, completion
// index, status, and the name, image and kind of each container. The pod is for
// reading only and must not be sent to the API server. [Inspect] of the restored pod
// returns o except for Deleted, Ignored, Rank, Part and Omitted, the Injected and the
// Truncated of its containers, and the Terminating of a pod that had ended before it was
// deleted.
func Restore(namespace string, o Outcome) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: o.Name, UID: o.UID},
		Spec:       corev1.PodSpec{NodeName: o.Node, RestartPolicy: corev1.RestartPolicyNever},
		Status:     corev1.PodStatus{Phase: o.Phase, Reason: o.Reason, Message: o.Message},
	}
	if o.Index != nil {
		index := strconv.Itoa(*o.Index)
		p.Labels = map[string]string{batchv1.JobCompletionIndexAnnotation: index}
		p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: index}
	}
	p.CreationTimestamp = apiTime(o.CreatedAt)
	if !o.ScheduledAt.IsZero() {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: apiTime(o.ScheduledAt),
		})
	}
	if !o.StartedAt.IsZero() {
		p.Status.StartTime = &metav1.Time{Time: o.StartedAt}
	}
	if !o.StoppedAt.IsZero() {
		p.DeletionTimestamp = &metav1.Time{Time: o.StoppedAt}
	}
	if o.Disrupted != "" {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: o.Disrupted, Message: o.Message,
		})
	}
	for _, c := range o.Containers {
		restoreContainer(p, c)
	}
	return p
}

func restoreContainer(p *corev1.Pod, c ContainerOutcome) {
	container := corev1.Container{Name: c.Name, Image: c.Image}
	if c.Kind == KindSidecar {
		container.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	}
	if c.FromFile {
		container.TerminationMessagePolicy = corev1.TerminationMessageReadFile
	}
	specs, statuses := &p.Spec.Containers, &p.Status.ContainerStatuses
	if c.Kind == KindInit || c.Kind == KindSidecar {
		specs, statuses = &p.Spec.InitContainers, &p.Status.InitContainerStatuses
	}
	*specs = append(*specs, container)
	*statuses = append(*statuses, corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, RestartCount: c.Restarts, State: restoreState(c),
		LastTerminationState: restoreLastState(c),
	})
}

func restoreState(c ContainerOutcome) corev1.ContainerState {
	switch c.State {
	case stateTerminated:
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: c.ExitCode, Signal: c.Signal, Reason: c.Reason, Message: c.Message,
			StartedAt: apiTime(c.StartedAt), FinishedAt: apiTime(c.FinishedAt),
		}}
	case stateRunning:
		return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: apiTime(c.StartedAt)}}
	case stateWaiting:
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: c.Reason, Message: c.Message}}
	}
	return corev1.ContainerState{}
}

// restoreLastState returns how the previous run of a restarted container ended,
// which Inspect reads into ExitCode, Signal and FinishedAt.
func restoreLastState(c ContainerOutcome) corev1.ContainerState {
	if p := c.Previous; p != nil {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: p.ExitCode, Signal: p.Signal, Reason: p.Reason, FinishedAt: apiTime(p.FinishedAt),
		}}
	}
	if c.State == stateTerminated || (c.ExitCode == 0 && c.Signal == 0 && c.FinishedAt.IsZero()) {
		return corev1.ContainerState{}
	}
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: c.ExitCode, Signal: c.Signal, FinishedAt: apiTime(c.FinishedAt),
	}}
}

func apiTime(t time.Time) metav1.Time { return metav1.Time{Time: t} }
