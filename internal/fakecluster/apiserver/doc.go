// Package apiserver is the API-semantics half of an in-memory Kubernetes cluster.
//
// A Server is an http.Handler. Server.Config returns the rest.Config of a client whose
// requests reach it without a network, and Server.Clientset is client-go's own
// clientset over it, with its encodings, retries, limits and warnings. The handler uses
// a store that behaves like the API server in all that a client can observe: UIDs, one
// resource version counter, optimistic locking, generations, the status subresource,
// defaulting and validation of Jobs and Pods, graceful deletion and finalizers,
// selectors, paging, and watches that replay history, filter by label and send
// bookmarks.
//
// A request is resolved to a call (route.go), an operation executes it on the store
// (operations.go), and the response is encoded in the view and the format that the client
// accepts: whole objects, their metadata, or a table (negotiate.go, view.go, format.go).
// Each state of an object is encoded once for all clients.
//
// Custom resources are registered with Options.Kinds. They have no schema, so that every
// field is accepted, and are served like any other resource, in JSON.
//
// There are no controllers here: nothing creates pods for a Job, collects
// garbage or runs containers. Those are clients like any other.
//
// Faults are part of the package: requests can be denied, delayed, or made to fail
// before or after they take effect; a response can be cut, truncated, stalled or slow;
// watches can be cut, stalled, reordered or expired, and can lose events. Everything
// uses package time, and waits for channels and conditions only, so clients and server
// work in a testing/synctest bubble.
//
// TestTranscript and TestWire compare the responses to long lists of requests with those
// recorded from a real kube-apiserver.
package apiserver
