// Quickstart runs an Execution of four steps, one of which is three scripts at
// once and one of which fails, and shows what kontinue makes of it:
//
//	go run ./examples/quickstart
//
// It needs nothing but Go and a shell: the cluster is in the program's memory
// and runs the commands as local processes. The same program runs on a real
// cluster, where it creates a ConfigMap to own its Jobs and deletes it at the
// end:
//
//	go run ./examples/quickstart -kubeconfig FILE
//
// pipeline.go is the worker function, run.go what surrounds one in a program.
package main
