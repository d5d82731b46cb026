// Package kubelet plays the scheduler and the kubelets of a cluster for the
// in-memory API server: it binds pods to nodes, runs their containers and
// writes the pod status a real kubelet would write.
//
// Containers run in a Runtime. Scripts plays them by a script (exit codes, log
// lines, image errors, out of memory, "hangs until killed") from timers alone,
// without a goroutine for each, so that ten thousand pods are cheap and hours
// pass at once in a testing/synctest bubble. Processes runs the container's
// command as a local process; image names mean nothing to it and volumes are
// not mounted.
//
// A pod is a small state machine (work.go) that is stepped whenever its object
// changes, a container ends or a delay is over; after each step its status is
// built anew (status.go) and written if it differs.
package kubelet
