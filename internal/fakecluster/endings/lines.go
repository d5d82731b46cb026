package endings

import (
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// podLine describes a pod: its phase and reason, its containers, why it is not ready,
// and how it is being deleted.
func podLine(pod *corev1.Pod) string {
	line := "pod " + string(pod.Status.Phase)
	if pod.Status.Reason != "" {
		line += "/" + pod.Status.Reason
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range list {
			line += " " + c.Name + "=" + state(c)
		}
	}
	if reason := ready(pod); reason != "" {
		line += " not ready: " + reason
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			line += " DisruptionTarget/" + c.Reason
		}
	}
	if pod.DeletionTimestamp != nil {
		line += " deleting"
	}
	if tracked(pod) {
		line += " tracked"
	}
	return line
}

func state(c corev1.ContainerStatus) string {
	switch {
	case c.State.Running != nil:
		return "running"
	case c.State.Terminated != nil:
		return fmt.Sprint(c.State.Terminated.ExitCode)
	}
	return "waiting"
}

// ready returns why the pod is not ready, or "" if it is.
func ready(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue {
			return c.Reason
		}
	}
	return ""
}

// jobLine describes a Job: its counters that are not 0, and its conditions.
func jobLine(job *batchv1.Job) string {
	s := job.Status
	var parts []string
	count := func(name string, n int32) {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", name, n))
		}
	}
	count("active", s.Active)
	count("ready", ptr.Deref(s.Ready, 0))
	count("terminating", ptr.Deref(s.Terminating, 0))
	if u := s.UncountedTerminatedPods; u != nil {
		count("uncounted-succeeded", int32(len(u.Succeeded)))
		count("uncounted-failed", int32(len(u.Failed)))
	}
	count("succeeded", s.Succeeded)
	count("failed", s.Failed)
	for _, c := range s.Conditions {
		if c.Status == corev1.ConditionTrue {
			parts = append(parts, string(c.Type)+"/"+c.Reason)
		}
	}
	if job.DeletionTimestamp != nil {
		parts = append(parts, "deleting")
	}
	return strings.Join(append([]string{"job"}, parts...), " ")
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func tracked(pod *corev1.Pod) bool {
	return slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer)
}

func finished(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}
