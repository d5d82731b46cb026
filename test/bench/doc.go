// Package bench compares ways to wait for Kubernetes Jobs, kontinue among
// them, side by side on a real control plane (package cluster).
//
// The program driver makes N Jobs that run, each with its Pod, and plays the Job
// controller and the kubelet by writing their status. Each style then waits for
// all N in a process of its own; a sample of the Jobs ends, the rest is waited
// for on. Every process also holds one raw watch of the Jobs, the floor, which
// notes when the terminal event of each Job reached the process.
//
// Counted are requests, watch streams, memory, the time from the terminal event
// until the waiter runs, CPU time, and the time to attach. The styles take
// turns, run after run, and each figure is the median of the runs: the machine's
// other load is in all of them, and ratios are what to look at. What the figures
// must reach is in targets.go.
package bench
