// Package playground opens the cluster that an example runs on: one in the
// program's own memory, or a real one by a kubeconfig file. The examples are
// the same on both.
//
// The cluster in memory has the API server's semantics, a Job controller, a
// garbage collector and a kubelet that runs each container's command as a
// local process. Image names mean nothing to it and no image is pulled, so a
// command finds what the machine has. The cluster ends with the program, and
// takes its processes with it.
//
// Either way the requests of kontinue's client are counted apart from the
// example's own: in memory by the API server, otherwise on the way to it.
package playground
