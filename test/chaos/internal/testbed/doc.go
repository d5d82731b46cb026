// Package testbed starts a real control plane (package cluster: etcd, API server
// and Job controller) for tests that break kontinue's surroundings.
//
// [Start] grants the workers the rights of deploy/rbac.yaml, records the history of
// all Jobs (package history) and plays the kubelet: [Kubelet] makes pods run and
// end by writing their status, as a [Script] says. Nothing of a test's faults
// reaches the testbed's own connections.
package testbed
