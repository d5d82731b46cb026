package pods

import (
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Inspect reads a pod's status into an [Outcome]. It is a pure function, keeps
// no reference to p, and returns the zero Outcome for nil.
//
// The spec may be trimmed to the names of containers and init containers and
// the latter's restartPolicy. A container of the spec without a status is
// listed in state Unknown. With no container in the spec the status lists
// alone count, and a sidecar cannot be told from an init container.
func Inspect(p *corev1.Pod) Outcome {
	if p == nil {
		return Outcome{}
	}
	o := Outcome{
		Name:        p.Name,
		UID:         p.UID,
		Node:        p.Spec.NodeName,
		Phase:       p.Status.Phase,
		Reason:      p.Status.Reason,
		Message:     valid(p.Status.Message),
		Index:       completionIndex(p),
		Terminating: p.DeletionTimestamp != nil,
		Containers:  containerOutcomes(p),
	}
	if p.Status.StartTime != nil {
		o.StartedAt = utc(*p.Status.StartTime)
	}
	for _, c := range o.Containers {
		if c.State == stateTerminated && c.FinishedAt.After(o.FinishedAt) {
			o.FinishedAt = c.FinishedAt
		}
	}
	if c := findCondition(p, corev1.DisruptionTarget); c != nil && c.Status == corev1.ConditionTrue {
		o.Disrupted = c.Reason
		if o.Message == "" {
			o.Message = valid(c.Message)
		}
	}
	if c := findCondition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse && o.Reason == "" && o.Disrupted == "" {
		o.Reason = c.Reason
		if o.Message == "" {
			o.Message = valid(c.Message)
		}
	}
	return o
}

// Settled reports that the pod has ended and that the Job controller has
// counted it: its phase is Succeeded or Failed, and the finalizer
// batch.kubernetes.io/job-tracking is gone. The finalizer alone proves nothing,
// for it is also removed from running pods of a Job that is being stopped.
func Settled(p *corev1.Pod) bool {
	if p == nil || (p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed) {
		return false
	}
	return !slices.Contains(p.Finalizers, batchv1.JobTrackingFinalizer)
}

func containerOutcomes(p *corev1.Pod) []ContainerOutcome {
	var out []ContainerOutcome
	known := map[string]bool{}
	add := func(kind Kind, name string, statuses []corev1.ContainerStatus) {
		known[name] = true
		i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
		if i < 0 {
			out = append(out, ContainerOutcome{Name: name, Kind: kind, State: stateUnknown})
			return
		}
		out = append(out, containerOutcome(kind, statuses[i]))
	}
	for _, c := range p.Spec.InitContainers {
		kind := KindInit
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			kind = KindSidecar
		}
		add(kind, c.Name, p.Status.InitContainerStatuses)
	}
	for _, s := range p.Status.InitContainerStatuses {
		if !known[s.Name] {
			add(KindInit, s.Name, p.Status.InitContainerStatuses)
		}
	}
	for _, c := range p.Spec.Containers {
		add(KindMain, c.Name, p.Status.ContainerStatuses)
	}
	for _, s := range p.Status.ContainerStatuses {
		if !known[s.Name] {
			add(KindMain, s.Name, p.Status.ContainerStatuses)
		}
	}
	return out
}

func containerOutcome(kind Kind, s corev1.ContainerStatus) ContainerOutcome {
	c := ContainerOutcome{Name: s.Name, Kind: kind, State: stateUnknown, Image: s.Image, Restarts: s.RestartCount}
	switch {
	case s.State.Terminated != nil:
		t := s.State.Terminated
		c.State, c.ExitCode, c.Signal = stateTerminated, t.ExitCode, t.Signal
		c.Reason, c.Message = t.Reason, valid(t.Message)
		c.StartedAt, c.FinishedAt = utc(t.StartedAt), utc(t.FinishedAt)
	case s.State.Running != nil:
		c.State, c.StartedAt = stateRunning, utc(s.State.Running.StartedAt)
	case s.State.Waiting != nil:
		c.State, c.Reason, c.Message = stateWaiting, s.State.Waiting.Reason, valid(s.State.Waiting.Message)
	}
	// A container that was started again shows how the run before it ended.
	if last := s.LastTerminationState.Terminated; last != nil && s.State.Terminated == nil {
		c.ExitCode, c.Signal, c.FinishedAt = last.ExitCode, last.Signal, utc(last.FinishedAt)
	}
	return c
}

// utc makes times comparable with those read back from a record; the API's
// zero time and Go's are the same.
func utc(t metav1.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// completionIndex reads the annotation, or the label that servers from 1.28 on
// set too.
func completionIndex(p *corev1.Pod) *int {
	for _, set := range []map[string]string{p.Annotations, p.Labels} {
		if i, err := strconv.Atoi(set[batchv1.JobCompletionIndexAnnotation]); err == nil && i >= 0 {
			return &i
		}
	}
	return nil
}

func findCondition(p *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == t {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// Unstarted returns o with what its containers waited for, as before tells, where
// they never started. When a pod is deleted before that, the kubelet writes
// ContainerStatusUnknown and exit code 137 over the waiting state, and with it
// over the missing image or Secret that was the cause.
func (o Outcome) Unstarted(before Outcome) Outcome {
	o.Containers = slices.Clone(o.Containers)
	for i, c := range o.Containers {
		if c.State != stateTerminated || c.Reason != reasonStatusUnknown || !c.StartedAt.IsZero() {
			continue
		}
		for _, b := range before.Containers {
			if b.Name == c.Name && b.State == stateWaiting && b.Restarts == 0 {
				o.Containers[i] = b
			}
		}
	}
	return o
}

// Progress tells in three short texts where a pod is, for display: its phase,
// a CamelCase reason and a message, both possibly empty. A waiting pod shows
// what it waits for: the scheduler's complaint, or the first container that
// cannot start, else the first that has not started yet. A pod under deletion
// shows the reason Terminating. An ended pod shows [Outcome.Cause] and
// [Outcome.Explain].
func Progress(p *corev1.Pod) (phase, reason, message string) {
	if p == nil {
		return "", "", ""
	}
	o := Inspect(p)
	phase = string(o.Phase)
	switch o.Phase {
	case corev1.PodSucceeded, corev1.PodFailed:
		return phase, o.Cause(), o.Explain()
	}
	if o.Terminating {
		return phase, "Terminating", o.Message
	}
	if cause := o.Cause(); cause != "" {
		return phase, cause, o.Explain()
	}
	for _, c := range o.Containers {
		if c.State == stateWaiting && c.Reason != "" {
			return phase, c.Reason, c.Message
		}
	}
	return phase, "", o.Message
}
