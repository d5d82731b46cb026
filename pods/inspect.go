package pods

import (
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Inspect reads a pod's status into an [Outcome]. It keeps no reference to p and
// returns the zero Outcome for nil.
//
// Of the spec it needs only the node name, the names and the terminationMessagePolicy of
// containers and init containers, and the restartPolicy of the latter. A container in the spec without a
// status gets the state Unknown. Containers that only have a status are listed as
// well; an init container of that kind is never recognized as a sidecar.
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
	o.CreatedAt = utc(p.CreationTimestamp)
	if p.Status.StartTime != nil {
		o.StartedAt = utc(*p.Status.StartTime)
	}
	for _, c := range o.Containers {
		if c.State == stateTerminated && c.FinishedAt.After(o.FinishedAt) {
			o.FinishedAt = c.FinishedAt
		}
	}
	if began := deletionBegan(p); !began.IsZero() && !o.ended(began) {
		o.StoppedAt = began
	}
	if c := findCondition(p, corev1.DisruptionTarget); c != nil && c.Status == corev1.ConditionTrue {
		o.Disrupted = c.Reason
		if o.Message == "" {
			o.Message = valid(c.Message)
		}
	}
	c := findCondition(p, corev1.PodScheduled)
	if c != nil && c.Status == corev1.ConditionTrue {
		o.ScheduledAt = utc(c.LastTransitionTime)
	}
	if c != nil && c.Status == corev1.ConditionFalse && o.Reason == "" && o.Disrupted == "" {
		o.Reason = c.Reason
		if o.Message == "" {
			o.Message = valid(c.Message)
		}
	}
	return o
}

// deletionBegan is when the deletion of the pod was asked for: its timestamp is when the
// grace period is over.
func deletionBegan(p *corev1.Pod) time.Time {
	if p.DeletionTimestamp == nil {
		return time.Time{}
	}
	began := utc(*p.DeletionTimestamp)
	if grace := p.DeletionGracePeriodSeconds; grace != nil {
		began = began.Add(-time.Duration(*grace) * time.Second)
	}
	return began
}

// DeletedSince returns o with the StoppedAt of a deletion that began at t, as an earlier
// state of the pod has shown; a zero t changes nothing. The last state does not: when the
// containers have ended, the kubelet deletes the pod with a grace period of 0, and the API
// server sets the deletion timestamp to that time.
func (o Outcome) DeletedSince(t time.Time) Outcome {
	if !t.IsZero() && !o.ended(t) {
		o.StoppedAt = t
	}
	return o
}

// ended reports whether the pod had ended before t. Both have whole seconds: in the same
// second it was stopped, since a pod is deleted while it runs, and a container that obeys
// SIGTERM ends at once.
func (o Outcome) ended(t time.Time) bool {
	return (o.Phase == corev1.PodSucceeded || o.Phase == corev1.PodFailed) && !o.FinishedAt.IsZero() && o.FinishedAt.Before(t)
}

// Settled reports whether the pod has ended and was counted by the Job controller:
// its phase is Succeeded or Failed, and the finalizer
// batch.kubernetes.io/job-tracking is gone. The finalizer alone is not enough: the
// controller also removes it from running pods of a Job that is being stopped.
func Settled(p *corev1.Pod) bool {
	if p == nil || (p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed) {
		return false
	}
	return !slices.Contains(p.Finalizers, batchv1.JobTrackingFinalizer)
}

func containerOutcomes(p *corev1.Pod) []ContainerOutcome {
	var out []ContainerOutcome
	known := map[string]bool{}
	limit := messageLimit(p)
	add := func(kind Kind, name string, statuses []corev1.ContainerStatus) {
		known[name] = true
		i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
		if i < 0 {
			out = append(out, ContainerOutcome{Name: name, Kind: kind, State: stateUnknown})
			return
		}
		out = append(out, containerOutcome(kind, statuses[i], limit))
	}
	addOf := func(kind Kind, c *corev1.Container, statuses []corev1.ContainerStatus) {
		add(kind, c.Name, statuses)
		o := &out[len(out)-1]
		o.FromFile = o.failed() && o.Message != "" && c.TerminationMessagePolicy == corev1.TerminationMessageReadFile
	}
	for i := range p.Spec.InitContainers {
		c, kind := &p.Spec.InitContainers[i], KindInit
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			kind = KindSidecar
		}
		addOf(kind, c, p.Status.InitContainerStatuses)
	}
	for _, s := range p.Status.InitContainerStatuses {
		if !known[s.Name] {
			add(KindInit, s.Name, p.Status.InitContainerStatuses)
		}
	}
	for i := range p.Spec.Containers {
		addOf(KindMain, &p.Spec.Containers[i], p.Status.ContainerStatuses)
	}
	for _, s := range p.Status.ContainerStatuses {
		if !known[s.Name] {
			add(KindMain, s.Name, p.Status.ContainerStatuses)
		}
	}
	return out
}

func containerOutcome(kind Kind, s corev1.ContainerStatus, limit int) ContainerOutcome {
	c := ContainerOutcome{Name: s.Name, Kind: kind, State: stateUnknown, Image: s.Image, Restarts: s.RestartCount}
	switch {
	case s.State.Terminated != nil:
		t := s.State.Terminated
		c.State, c.ExitCode, c.Signal = stateTerminated, t.ExitCode, t.Signal
		c.Reason, c.Message, c.Truncated = t.Reason, valid(t.Message), len(t.Message) >= limit
		c.StartedAt, c.FinishedAt = utc(t.StartedAt), utc(t.FinishedAt)
	case s.State.Running != nil:
		c.State, c.StartedAt = stateRunning, utc(s.State.Running.StartedAt)
	case s.State.Waiting != nil:
		c.State, c.Reason, c.Message = stateWaiting, s.State.Waiting.Reason, valid(s.State.Waiting.Message)
	}
	// A restarted container shows how its previous run ended.
	if last := s.LastTerminationState.Terminated; last != nil && (kind != KindSidecar || s.State.Terminated == nil) {
		c.Previous = &ContainerOutcome{State: stateTerminated, ExitCode: last.ExitCode, Signal: last.Signal, Reason: last.Reason, FinishedAt: utc(last.FinishedAt)}
	}
	if last := s.LastTerminationState.Terminated; last != nil && s.State.Terminated == nil {
		c.ExitCode, c.Signal, c.FinishedAt = last.ExitCode, last.Signal, utc(last.FinishedAt)
	}
	return c
}

// utc converts t to UTC, so that it equals a time decoded from a record.
func utc(t metav1.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// completionIndex reads the annotation or the label, which servers set from 1.28
// on.
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

// Unstarted returns a copy of o in which each container that never started has its
// waiting state from before, an earlier Outcome of the same pod. If a pod is deleted
// before a container starts, the kubelet replaces the waiting state, which names the
// missing image or Secret, with ContainerStatusUnknown and exit code 137.
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

// Progress returns the phase of a pod with a CamelCase reason and a message, either
// of which may be empty, for display. For a pod that has ended they are those of
// [Outcome.Cause] and [Outcome.Explain], and for a pod that is being deleted the
// reason is Terminating. For a waiting pod they name the scheduler's complaint, the
// first container that cannot start, or the first that has not started yet. A container
// that backs off after it ran out of memory is OOMKilled. The message is one line of
// plain text. Progress returns empty strings for nil.
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
		return phase, "Terminating", lastLine(o.Message)
	}
	if cause := o.Cause(); cause != "" {
		return phase, cause, o.Explain()
	}
	for _, c := range o.Containers {
		if c.State == stateWaiting && c.Reason != "" {
			return phase, c.Reason, lastLine(c.Message)
		}
	}
	return phase, "", lastLine(o.Message)
}
