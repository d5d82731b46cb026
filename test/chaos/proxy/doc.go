// Package proxy stands between a Kubernetes client and the API server and makes
// the network between them bad.
//
// [New] listens on a loopback port with TLS and HTTP/2, as an API server or the
// load balancer before it does, and passes requests on. [Proxy.Inject] adds a
// [Fault]: of connections (cut, reset, half-open, frozen, slow), of requests
// (refused, or carried out with the answer lost) or of watches (cut off, doubled,
// expired, without bookmarks). [Proxy.Injected] counts what really hit.
//
// It is no general TCP proxy because of three needs: one connection half-open
// beside new ones that work, faults of single HTTP/2 streams and watch events,
// and a plan that a seed repeats.
package proxy
