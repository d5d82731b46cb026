// Package pods turns scripts into pods and finished pods into outcomes.
//
// On the way in, [ScriptSpec] builds a pod spec whose command text reaches the
// shell byte for byte, and [JobSpec] wraps a pod spec in a Job that creates exactly
// one pod.
//
// On the way out, [Inspect] reads a pod's status into an [Outcome]: which containers
// ran, how they ended, and why. [Outcome.Succeeded], [Outcome.FirstFailure],
// [Outcome.Cause] and [Outcome.Explain] do not need the pod. [JobEnd.Failures] orders the
// pods of a Job that failed: the one to blame first, and victims last. [Encode] stores a
// list of Outcomes on the Job and [Decode] reads it back, so that a result outlives its
// pods. [Restore] rebuilds a *corev1.Pod from an Outcome.
//
// All functions are pure: they use no client, no clock and no goroutine. They never
// copy environment values or arguments of a container into an Outcome or a message.
package pods
