// Fxworker is a small worker application wired by fx: a queue of Executions, a pool
// that runs their functions, and kontinue's client as an fx module.
//
//	go run ./examples/fxworker
//
// An Execution is a ConfigMap here. It owns the Jobs and records the state of the
// Execution. SIGTERM and Ctrl-C cancel the waits of the functions, but not their
// Jobs: the Executions stay Running, and the next start of the program resumes them.
// Without -kubeconfig the cluster is in memory and ends with the program. On a real
// cluster the Jobs keep running:
//
//	go run ./examples/fxworker -kubeconfig FILE
//
// A function that fails is retried once with the child policy RetryFailed. Finish
// sets the TTL of the Jobs of an Execution that has ended.
//
// app.go wires the program, store.go stores Executions, worker.go runs them, and
// function.go is the worker function.
package main
