// Package scenarios runs the scenarios of internal/scenarios on the cluster in memory.
// test/e2e runs the same ones on a real Kubernetes.
//
// Containers are shell commands that run as local processes. What a process cannot
// reproduce, such as an image that cannot be pulled, follows a script. The observations
// are compared with the record of an earlier run. A worker must need each right of
// deploy/rbac.yaml, and no others.
package scenarios
