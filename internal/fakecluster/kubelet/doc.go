// Package kubelet plays the scheduler and the kubelets of a cluster for the
// in-memory API server: it binds pods to nodes, runs their containers and
// writes the pod status a real kubelet would write.
//
// Containers run in a Runtime of package containers. A pod is a state machine
// (podWorker in worker.go) that is synced whenever its object changes, a container
// ends or a delay is over. After each sync its status is built anew (status.go)
// and written if it differs.
package kubelet
