// Package bench compares ways to wait for Kubernetes Jobs, kontinue among
// them, side by side on a real control plane (package cluster).
//
// The program driver creates N running Jobs, each with its Pod, and simulates the
// Job controller and the kubelet by writing their status. Each style then waits for
// all N Jobs in a separate process. A sample of the Jobs ends; the waits for the
// rest continue. Every process also holds one raw watch of the Jobs, the floor,
// which records when the terminal event of each Job reached the process.
//
// A run measures requests, watch streams, memory, the time from the terminal event
// until the waiter runs, CPU time, and the time to attach. The styles alternate in a
// random order, and each figure is the median of its runs. Other load on the machine
// affects all styles alike, so compare ratios rather than figures. The targets are in
// targets.go.
//
// Two more experiments run on a cluster with a node, where nothing is simulated. In the
// chain, scripts run one after another, each when the end of the one before is known; its
// time is what a user feels. The other measures the time from the arrival of a script's
// end in the process until RunScript returns. Their targets are in chain_report.go.
package bench
