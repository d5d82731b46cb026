// Package containers runs the containers of the cluster in memory, as a container
// runtime does for a kubelet.
//
// Runtime is the interface for package kubelet. Scripts simulates each container
// according to a Script (exit code, log lines, image errors, out of memory, running
// until it is stopped). It only uses timers and no goroutine for each container, so ten
// thousand pods are cheap, and hours pass at once in a testing/synctest bubble.
// Processes runs the container's command as a process on this machine. Images are not
// pulled. Volumes are directories, whose paths are put into the command in place of those in
// the container.
package containers
