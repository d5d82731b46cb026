// Package e2e runs the library against a real Kubernetes.
//
// Without KUBECONFIG the tests start a cluster of their own on this machine
// (package cluster; it takes root, and the first build takes a quarter of an
// hour). With KUBECONFIG they use that cluster, as its administrator, and leave
// out by name what needs control over its components; an image with /bin/sh is
// named by KONTINUE_E2E_IMAGE (default busybox:1.37).
//
// The library works under the Role of deploy/rbac.yaml, as the ServiceAccount
// of that file, in a namespace made for each test.
package e2e
