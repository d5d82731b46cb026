// Package causes says why a step failed and who can do something about it: a [Class], errors
// for errors.Is, and a line of advice.
//
// One table holds what is known of the reasons of Kubernetes, kubelets and container
// runtimes. [Of] finds the row of a failure, from what the Job says about its end and from
// the outcome of the pod that is to blame. [Table] returns the rows, in the order in which
// they are tried, for the documentation and for tests.
//
// A reason counts more than an exit code: a container that was OOMKilled has run out of
// memory, whatever its exit code, and one of an evicted pod was evicted. All functions are
// pure.
package causes
