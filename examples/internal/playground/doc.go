// Package playground opens the cluster that an example runs on: one in memory, or a
// real one that a kubeconfig file points to. The examples are the same on both.
//
// The cluster in memory has an API server, a Job controller, a garbage collector and
// a kubelet that runs the command of each container as a local process. It ignores
// image names, so commands use the programs of this machine. The cluster and its
// processes end with the program.
//
// On both, the requests of kontinue's client are counted apart from those of the
// example: by the API server in memory, or by the transport to a real one.
package playground
