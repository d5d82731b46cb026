// Package apiserver is the API-semantics half of an in-memory Kubernetes cluster.
//
// It provides ordinary kubernetes.Interface clients. They do not use the object
// tracker of client-go's fake clientset but a store that behaves like the API server
// in all that a client can observe: UIDs, one resource version counter, optimistic
// locking, generations, the status subresource, defaulting and validation of Jobs and
// Pods, graceful deletion and finalizers, selectors, paging, and watches that replay
// history, filter by label and send bookmarks.
//
// There are no controllers here: nothing creates pods for a Job, collects
// garbage or runs containers. Those are clients like any other.
//
// Faults are part of the package: requests can be denied, delayed, or made to fail
// before or after they take effect; watches can be cut, stalled or expired, and can
// lose events. Everything uses package time, so it works in a testing/synctest bubble.
//
// TestTranscript compares the responses to a long list of requests with those recorded
// from a real kube-apiserver.
package apiserver
