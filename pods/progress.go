package pods

import corev1 "k8s.io/api/core/v1"

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
