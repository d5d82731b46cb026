// Package proxy is a reverse proxy between a Kubernetes client and the API server
// that injects network faults.
//
// [New] listens on a loopback port with TLS and HTTP/2, like an API server or its
// load balancer, and forwards requests. [Proxy.Inject] adds a [Fault]: of
// connections (cut, reset, half-open, frozen, slow), of requests (rejected, or
// carried out with the response lost) or of watches (cut off, duplicated, expired,
// without bookmarks). [Proxy.Injected] counts the faults that took effect.
//
// A generic TCP proxy does not suffice, for three reasons: one connection may be
// half-open while new ones work, faults apply to single HTTP/2 streams and watch
// events, and a seed must repeat its plan.
package proxy
