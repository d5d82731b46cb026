// Package e2e tests the library on a real Kubernetes.
//
// Without KUBECONFIG the tests start a cluster on this machine with package cluster,
// which needs root. Its first build takes a quarter of an hour. With KUBECONFIG they
// use that cluster, as an administrator, and skip the scenarios that need control over
// its components. KONTINUE_E2E_IMAGE is then the image with /bin/sh for the
// containers (default busybox:1.37).
//
// The scenario that kills its node has another cluster, since all others run at the same
// time.
//
// Each test has its own namespace, in which the library runs as the ServiceAccount of
// deploy/rbac.yaml with the Role of that file.
package e2e
