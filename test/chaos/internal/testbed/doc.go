// Package testbed starts a real control plane (package cluster: etcd, API server
// and Job controller) for tests that inject failures.
//
// [Start] grants the workers the permissions of deploy/rbac.yaml, records the history
// of all Jobs (package history) and simulates the kubelet: [Kubelet] runs and ends
// pods by writing their status according to a [Script]. The faults of a test do not
// affect the testbed's own connections.
package testbed
