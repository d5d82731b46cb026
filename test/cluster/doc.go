// Package cluster runs a real Kubernetes cluster on one Linux machine for tests:
// etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and a node with
// kubelet, containerd and runc that runs real containers.
//
// [Start] returns a cluster that is ready to run Jobs in seconds, and [Cluster.Stop]
// removes it. In between, every component and the whole node can be killed, frozen,
// resumed and restarted, and etcd's history compacted. The programs are compiled from
// source once, see [Build].
//
// A cluster runs in its own namespaces (processes, mounts, network, cgroups). They end
// with the process that started it, even if that is killed, so clusters never collide
// and leave nothing running. A cluster has no access to outside networks. Tests reach
// the API server from the outside with [Cluster.RESTConfig], and kubectl with the file
// that [Cluster.Kubeconfig] returns.
//
// Everything here needs root.
package cluster
