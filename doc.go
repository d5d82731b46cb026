// Package kontinue runs Kubernetes Jobs from Go code and waits for them.
//
// A worker function gets an [ExecutionContext], made for its Execution: the
// Kubernetes object on whose behalf it runs. With it, it calls [RunJob],
// [RunPod] or [RunScript]. Each creates a Job that the Execution owns, waits
// for its end, and returns counts, messages, pods, exit codes and logs. A
// workload that failed is a result; an error means that there is none.
//
// The calls are durable. When the worker dies and the function runs again, each
// call finds its own Job by its deterministic name and goes on waiting; an
// outcome that was read is recorded on the Job, and read again from there. On a
// retry of the Execution its [ChildPolicy] decides which Jobs run again.
//
// All waits of a [Client] share one watch of Jobs and one of Pods; while
// waiting they cost no request. The client starts and stops by itself or, as
// [Module], with an fx application.
package kontinue
