// Package pods turns scripts into pods and finished pods into outcomes.
//
// On the way in, [ScriptSpec] makes a pod spec of a command text that reaches
// the shell byte for byte, and [JobSpec] wraps a pod spec in a Job that makes
// exactly one pod. On the way out, [Inspect] reads a pod's status into an
// [Outcome]: which containers ran, how they ended, and why. An Outcome answers
// Succeeded, FirstFailure, Cause and Explain without the pod it came from; a
// list of them is stored with [Encode] on the Job and read back with [Decode],
// so a result outlives its pods, and [Restore] gives the pod's identity and
// status back to callers that want a *corev1.Pod.
//
// Everything here is a pure function: no client, no clock, no goroutine. No
// environment value and no argument of a container is ever read into an
// Outcome or a message.
package pods
