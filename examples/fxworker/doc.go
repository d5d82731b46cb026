// Fxworker is a small worker app wired by fx: a queue of Executions, a pool
// that runs their function, and kontinue's client as an fx module.
//
//	go run ./examples/fxworker
//
// An Execution is a ConfigMap here: it owns the Jobs and records how far its
// function got. SIGTERM and Ctrl-C end the waits of the functions and not their
// Jobs: the Executions stay Running, and the next start of the program resumes
// them. Without -kubeconfig the cluster is in the program's memory and ends
// with it; on a real one the Jobs really go on:
//
//	go run ./examples/fxworker -kubeconfig FILE
//
// A function that fails is retried once with the child policy RetryFailed, and
// Finish lets the Jobs of an ended Execution expire.
//
// The parts: app.go wires, store.go keeps Executions, worker.go runs them,
// function.go is the worker function.
package main
