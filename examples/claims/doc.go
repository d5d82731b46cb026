// Claims is a worker of which several processes share Executions: each Execution is run by
// one of them, and by another one if that dies.
//
//	go run ./examples/claims -add 3
//
// An Execution is a ConfigMap, which owns the Jobs. A process takes one by writing its name
// into it (claim.go), and has a Lease that says whether it is alive (lease.go). A process that
// does not renew its Lease loses it, and with it all that it has claimed.
//
// The Lease only saves work. If a process was slow and not dead, two of them run a function
// for a while: both find the same Jobs, and the writes of the earlier one to the ConfigMap are
// refused.
//
// store.go has the Executions, worker.go the loop, and function.go the worker function.
// docs/executions.md explains it.
package main
