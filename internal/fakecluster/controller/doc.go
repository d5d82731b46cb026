// Package controller has the controllers of the cluster in memory: the Job controller,
// the garbage collector, the TTL-after-finished controller and the namespace
// controller.
//
// The Job controller follows the real one (KEP-2307, KEP-3329, KEP-3850, KEP-3939,
// KEP-3998) in all that a client can observe. Pods have the finalizer
// batch.kubernetes.io/job-tracking. The controller first writes SuccessCriteriaMet or
// FailureTarget, with the finished pods in status.uncountedTerminatedPods. Then it
// removes the finalizers. Only then, and not while a pod is terminating, it writes
// Complete or Failed.
//
// A decision is a pure function of the Job, its pods and the time (facts in
// facts.go, judge.go, scale.go, settle.go); jobs.go carries decisions out.
package controller
