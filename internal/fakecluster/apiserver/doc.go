// Package apiserver is the API-semantics half of an in-memory Kubernetes cluster.
//
// It hands out ordinary kubernetes.Interface clients. Behind them is not the
// object tracker of client-go's fake clientset but a store that behaves as the
// API server does where a client can see it: UIDs, one resource version counter,
// optimistic locking, generations, the status subresource, defaulting and
// validation of Jobs and Pods, graceful deletion and finalizers, selectors,
// paging, watches that replay history, filter by label and send bookmarks.
//
// There are no controllers here: nothing creates pods for a Job, collects
// garbage or runs containers. Those are clients like any other.
//
// Faults are part of the package: requests can be denied, failed before or after
// they took effect, delayed; watches can be cut, stalled, expired or thinned out.
// Everything uses package time, so it works in a testing/synctest bubble.
//
// TestTranscript compares the answers to one long list of requests with those
// recorded from a real kube-apiserver.
package apiserver
