package controller

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// backoff holds a Job's recent failures, by which the Job controller delays replacement
// pods: 10 s, doubled with each failure since the last success, up to 10 min. It is
// kept in memory only.
type backoff struct {
	failures int
	last     time.Time
}

// after returns the record with newly finished pods added.
func (b backoff) after(succeeded, failed []*corev1.Pod) backoff {
	var lastSuccess time.Time
	for _, pod := range succeeded {
		if t := finishedAt(pod); t.After(lastSuccess) {
			lastSuccess = t
		}
	}
	if len(succeeded) > 0 {
		b = backoff{}
	}
	for _, pod := range failed {
		t := finishedAt(pod)
		if !t.After(lastSuccess) {
			continue
		}
		b.failures++
		if t.After(b.last) {
			b.last = t
		}
	}
	return b
}

// wait returns how much longer a replacement has to wait.
func (b backoff) wait(now time.Time, base, limit time.Duration) time.Duration {
	if b.failures == 0 || base <= 0 {
		return 0
	}
	delay := base
	for n := 1; n < b.failures && delay < limit; n++ {
		delay *= 2
	}
	return max(0, min(delay, limit)-now.Sub(b.last))
}

// finishedAt returns when the pod's last container finished, including native sidecars.
// If that is unknown, it returns when the pod became unready, was deleted or was
// created.
func finishedAt(pod *corev1.Pod) time.Time {
	sidecars := map[string]bool{}
	for _, c := range pod.Spec.InitContainers {
		sidecars[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	statuses := slices.Clone(pod.Status.ContainerStatuses)
	for _, c := range pod.Status.InitContainerStatuses {
		if sidecars[c.Name] {
			statuses = append(statuses, c)
		}
	}
	var last time.Time
	complete := len(statuses) > 0
	for _, c := range statuses {
		if c.State.Terminated == nil || c.State.Terminated.FinishedAt.IsZero() {
			complete = false
			break
		}
		if t := c.State.Terminated.FinishedAt.Time; t.After(last) {
			last = t
		}
	}
	if complete {
		return last
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionFalse && !c.LastTransitionTime.IsZero() {
			return c.LastTransitionTime.Time
		}
	}
	if pod.DeletionTimestamp != nil {
		grace := time.Duration(0)
		if pod.DeletionGracePeriodSeconds != nil {
			grace = time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
		}
		return pod.DeletionTimestamp.Add(-grace)
	}
	return pod.CreationTimestamp.Time
}
