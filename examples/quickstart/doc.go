// Quickstart runs an Execution of six scripts, three of them at once and one that
// fails, and then resumes it as after a crash:
//
//	go run ./examples/quickstart
//
// It needs nothing but Go and a shell: the cluster is in memory and runs the commands
// as local processes. The same program runs on a real cluster, where it creates a
// ConfigMap to own its Jobs and deletes it at the end:
//
//	go run ./examples/quickstart -kubeconfig FILE
//
// pipeline.go is the worker function, and run.go the program around it.
package main
