// Package controller plays the controllers of a cluster for the in-memory API
// server: the Job controller, the garbage collector, the TTL-after-finished
// controller and the deletion of namespaces.
//
// The Job controller follows the real one (KEP-2307, KEP-3329, KEP-3850,
// KEP-3939, KEP-3998) in what a client can see: pods carry the
// batch.kubernetes.io/job-tracking finalizer; how a Job ends is first written
// as SuccessCriteriaMet or FailureTarget with the finished pods in
// status.uncountedTerminatedPods; then the finalizers go; only then, and not
// while a pod is terminating, Complete or Failed is written.
//
// A decision is a pure function of the Job, its pods and the time (facts in
// facts.go, judge.go, scale.go, settle.go); jobs.go carries decisions out.
package controller
