package proxy

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Config configures a proxy.
type Config struct {
	// Upstream is the configuration for the API server. Clients of the proxy act as
	// its user.
	Upstream *rest.Config
	// Shift is added to every time in the responses of the API server. To the client,
	// the clock of the cluster is off by that much.
	Shift time.Duration
}

// Proxy is a running proxy. Its methods are safe for concurrent use.
type Proxy struct {
	server   *httptest.Server
	target   *url.URL
	upstream http.RoundTripper
	token    string
	shift    time.Duration

	mu       sync.Mutex
	conns    map[*conn]bool
	watches  map[*stream]bool
	faults   []*active
	injected map[Kind]int
	requests map[string]int
	closing  chan struct{}
}

// active is a fault that is in effect.
type active struct {
	Fault
	until time.Time // zero: until Clear is called
}

func (a *active) expired(now time.Time) bool {
	return a.Times == 0 || !a.until.IsZero() && !now.Before(a.until)
}

// New starts a proxy. Call Close to stop it.
func New(config Config) (*Proxy, error) {
	upstream := rest.CopyConfig(config.Upstream)
	token := upstream.BearerToken
	upstream.BearerToken, upstream.DisableCompression = "", true // the client sends the token itself
	transport, err := rest.TransportFor(upstream)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	target, err := url.Parse(upstream.Host)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{
		target: target, upstream: transport, token: token, shift: config.Shift,
		conns: map[*conn]bool{}, watches: map[*stream]bool{}, injected: map[Kind]int{}, requests: map[string]int{},
		closing: make(chan struct{}),
	}
	p.server = httptest.NewUnstartedServer(p)
	p.server.Listener = &listener{Listener: p.server.Listener, p: p}
	p.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // broken connections are intended
	p.server.EnableHTTP2 = true
	p.server.StartTLS()
	return p, nil
}

// RESTConfig returns a configuration that reaches the API server through the proxy,
// without a client-side rate limit.
func (p *Proxy) RESTConfig() *rest.Config {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	return &rest.Config{
		Host: p.server.URL, BearerToken: p.token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca},
		// With its own dialer, client-go does not share a transport between proxies.
		Dial: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}
}

// Close closes all connections and waits for the requests in flight.
func (p *Proxy) Close() {
	close(p.closing)
	for _, c := range p.open() {
		c.reset()
	}
	p.server.CloseClientConnections()
	p.server.Close()
	if t, ok := p.upstream.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (p *Proxy) open() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		open = append(open, c)
	}
	return open
}

// Inject adds a fault.
func (p *Proxy) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	a := &active{Fault: f}
	if f.For > 0 {
		a.until = time.Now().Add(f.For)
	}
	switch f.Kind {
	case Cut, Reset, Stall:
		p.hit(f.Kind)
	case Refuse, Blackhole, Freeze, Delay, Drip, NoBookmarks:
		a.Times = -1
		if f.Kind != NoBookmarks {
			p.count(f.Kind)
		}
		p.add(a)
		if f.Kind == Refuse || f.Kind == Blackhole {
			p.hit(f.Kind)
		}
	case Gone:
		p.add(a)
		p.EndWatches()
	default:
		p.add(a)
	}
}

// hit applies a fault of connections to those that are open.
func (p *Proxy) hit(kind Kind) {
	for _, c := range p.open() {
		switch kind {
		case Cut:
			_ = c.Close()
		case Reset, Refuse:
			c.reset()
		default:
			p.mu.Lock()
			c.stalled = true
			p.mu.Unlock()
		}
		if kind != Refuse && kind != Blackhole {
			p.count(kind)
		}
	}
}

// EndWatches ends all open watches, like an API server that shuts down.
func (p *Proxy) EndWatches() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.watches {
		s.cancel()
	}
}

// Clear removes all faults. Half-open connections stay half-open.
func (p *Proxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Injected returns how often each kind of fault took effect.
func (p *Proxy) Injected() map[Kind]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.injected)
}

// Requests returns the number of requests of a verb for a resource so far.
func (p *Proxy) Requests(verb, resource string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[verb+" "+resource]
}

// Connections returns the number of open connections.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *Proxy) add(a *active) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, a)
}

func (p *Proxy) count(kind Kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.injected[kind]++
}

// take returns the first fault of a class that matches a request or its event, and
// decrements its Times.
func (p *Proxy) take(of class, r request) (Kind, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, a := range p.faults {
		if a.Kind.class() != of || a.Kind == NoBookmarks || a.expired(now) || !a.matches(r) || a.Kind == Gone && r.verb != "watch" {
			continue
		}
		if a.Times > 0 {
			a.Times--
		}
		p.injected[a.Kind]++
		return a.Kind, true
	}
	return "", false
}

// lasting reports whether a fault with a duration is in effect. The caller holds the
// lock.
func (p *Proxy) lasting(kind Kind) bool {
	now := time.Now()
	for _, a := range p.faults {
		if a.Kind == kind && !a.expired(now) {
			return true
		}
	}
	return false
}

// pace returns how many of n bytes may be sent to a client, and after what delay.
func (p *Proxy) pace(n int) (int, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, a := range p.faults {
		switch {
		case a.expired(now):
		case a.Kind == Freeze && !a.until.IsZero():
			return n, a.until.Sub(now)
		case a.Kind == Drip:
			return min(n, dripBytes), dripTakes
		case a.Kind == Delay:
			return n, delayTakes
		}
	}
	return n, 0
}
