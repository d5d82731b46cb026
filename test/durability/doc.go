// Package durability kills workers and looks at what became of their steps.
//
// [Run] starts a real control plane (package cluster: etcd, API server and the
// Job controller), plays the kubelet for the pods, and runs workers as processes
// of their own. Each runs a function of named and unnamed steps for one
// Execution, is killed with SIGKILL at a random time or at a chosen boundary of a
// step, and is started again until its function has come to its end. A watch
// that is open from the beginning to the end holds the history of all objects.
//
// The [Report] counts kills and Jobs, and what must not be: a Job too many, a
// result that was lost, a result that is another than without the kill. It also
// holds the requests of each step, out of the API server's audit log.
//
// The command driver runs it and prints the report.
package durability
