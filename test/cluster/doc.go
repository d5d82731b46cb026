// Package cluster runs a real Kubernetes on one Linux machine for tests:
// etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and a node of
// kubelet, containerd and runc that runs real containers.
//
// [Start] gives a cluster that is ready to run Jobs in seconds, [Cluster.Stop]
// takes it away. In between, every component and the whole node can be killed,
// frozen, thawed and restarted, and etcd's history compacted. The programs are
// compiled from source once, see [Build].
//
// A cluster lives in namespaces of its own (processes, mounts, network,
// cgroups) that end with the process that started it, even when that is
// killed: clusters never collide and leave nothing running. It has no way out
// to a network. Tests reach the API server from the outside through
// [Cluster.RESTConfig], people through the file [Cluster.Kubeconfig] names.
//
// Everything here needs root.
package cluster
