package devcluster

import (
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// ErrStopped is returned by [Cluster.Serve] once the cluster has been stopped.
var ErrStopped = errors.New("devcluster: the cluster has been stopped")

// adminUser is who the requests to an endpoint come from, as those of a kubeconfig made by
// kubeadm.
const adminUser = "kubernetes-admin"

// ServeOptions configure an [Endpoint]. The zero value is TLS with a certificate of the
// cluster's own authority, and the cluster's random token, which each request must bear.
type ServeOptions struct {
	// Insecure serves plain HTTP without a token, which lets every process of this machine
	// run commands as this user. Only a listener on a loopback address is accepted.
	Insecure bool
}

// Endpoint is an address at which a [Cluster] is served.
type Endpoint struct {
	url       string
	token     string // "" if insecure
	authority []byte // PEM, nil if insecure
	server    *http.Server
	served    sync.WaitGroup
}

// Serve serves the cluster's API at the listener until the cluster is stopped or the
// endpoint closed, and then closes the listener. It does not block. It returns an error
// that wraps [ErrStopped] if the cluster has been stopped, and an error for an insecure
// endpoint at an address that other machines can reach.
func (c *Cluster) Serve(listener net.Listener, opts ServeOptions) (*Endpoint, error) {
	host, err := reachable(listener.Addr(), opts.Insecure)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{url: "http://" + host}
	handler := asUser(c.memory.APIServer(), adminUser)
	if !opts.Insecure {
		authority, cert, err := c.certify(host)
		if err != nil {
			return nil, fmt.Errorf("devcluster: make a certificate for %s: %w", host, err)
		}
		e.url, e.token, e.authority = "https://"+host, authority.token, authority.pem()
		listener = tls.NewListener(listener, &tls.Config{
			Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		})
		handler = authenticated(handler, e.token)
	}
	e.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// Browsers and scanners that break off a handshake are no news.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, ErrStopped
	}
	c.endpoints = append(c.endpoints, e)
	e.served.Go(func() { _ = e.server.Serve(listener) }) // ends with Close
	return e, nil
}

// certify returns a certificate for the host, and the authority of the cluster.
func (c *Cluster) certify(host string) (*authority, tls.Certificate, error) {
	authority, err := c.authority()
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	cert, err := authority.serving(host)
	return authority, cert, err
}

// Close ends the requests to the endpoint, watches among them, and returns when the
// listener is closed. It is idempotent.
func (e *Endpoint) Close() {
	_ = e.server.Close() // the listener's error does not matter any more
	e.served.Wait()
}

// URL returns the endpoint's address, such as https://127.0.0.1:6443.
func (e *Endpoint) URL() string { return e.url }

// RESTConfig returns the configuration of a client that reaches the endpoint, from any
// process of this machine.
func (e *Endpoint) RESTConfig() *rest.Config {
	return &rest.Config{Host: e.url, BearerToken: e.token, TLSClientConfig: rest.TLSClientConfig{CAData: e.authority}}
}

// reachable returns the host and port at which this machine reaches the listener.
func reachable(addr net.Addr, insecure bool) (string, error) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "", fmt.Errorf("devcluster: serve at %s address %s: want a TCP listener", addr.Network(), addr)
	}
	if insecure && !tcp.IP.IsLoopback() {
		return "", fmt.Errorf("devcluster: serve at %s without TLS and a token: other machines could run commands here; listen on 127.0.0.1, or leave Insecure unset", addr)
	}
	ip := tcp.IP
	if ip.IsUnspecified() {
		ip = net.IPv4(127, 0, 0, 1)
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(tcp.Port)), nil
}

// authenticated refuses requests that do not bear the token.
func authenticated(next http.Handler, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(got), []byte(token)) == 1 {
			next.ServeHTTP(w, r)
			return
		}
		status := apierrors.NewUnauthorized("Unauthorized").Status()
		status.APIVersion, status.Kind = "v1", "Status"
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(status) // the client may be gone
	})
}

// asUser passes requests on as those of the user. The API server in memory takes the
// bearer token for the user's name.
func asUser(next http.Handler, user string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+user)
		next.ServeHTTP(w, r)
	})
}
