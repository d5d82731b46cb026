// Package kubelet has the scheduler and the kubelets of the cluster in memory: it binds
// pods to nodes, runs their containers and writes the pod status that a real kubelet
// would write.
//
// Containers run in a Runtime of package containers. A pod is a state machine
// (podWorker in worker.go) that is synced whenever its object changes, a container
// ends or a delay has passed. After each sync its status is built (status.go) and
// written if it differs.
package kubelet
