// Package kubeclient makes the clientset that a worker wants of a rest.Config: no
// client-side rate limit, protobuf, no compression, warnings of the API server in the
// log, and watches that are closed when they have gone silent.
//
// Each of these is a default: a setting of the rest.Config that the caller made is kept.
// [QuietLogger] returns the logger that is safe to hand to client-go, which at high
// verbosity logs the bodies of requests.
package kubeclient
