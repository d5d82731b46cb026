// Package cli tests the command kontinue: a real kubectl on the cluster of kontinue dev,
// whose answers are compared with those of a real cluster, and kontinue run in pipes and
// terminals.
//
// The programs run as processes. The real cluster is started by the tests, or that of
// KUBECONFIG. The terminal is tmux, which the tests install with apt-get if it is missing.
package cli
