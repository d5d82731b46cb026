// Package kubeclient creates the clientset of a worker from a rest.Config: no client-side
// rate limit, protobuf, no compression, warnings of the API server in the log, and watches
// that are closed when they have gone silent.
//
// These are defaults: settings in the caller's rest.Config are kept. [QuietLogger] returns
// a logger that is safe to pass to client-go, which logs the bodies of requests at high
// verbosity.
package kubeclient
