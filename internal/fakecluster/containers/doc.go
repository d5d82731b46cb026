// Package containers runs the containers of the cluster in memory, as a container
// runtime does for a kubelet.
//
// Runtime is the interface of package kubelet. Scripts plays each container by a
// Script (exit code, log lines, image errors, out of memory, running until it is
// stopped) from timers alone, without a goroutine for each container, so that
// ten thousand pods are cheap and hours pass at once in a testing/synctest
// bubble. Processes runs the container's command as a process of this machine;
// images are not pulled and volumes are not mounted.
package containers
