package proxy

import (
	"net"
	"sync"
	"time"
)

const (
	delayTakes = 20 * time.Millisecond
	dripBytes  = 512
	dripTakes  = 5 * time.Millisecond
)

// listener accepts connections that the proxy's faults apply to.
type listener struct {
	net.Listener
	p *Proxy
}

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, p: l.p, closed: make(chan struct{})}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.p.conns[c] = true
	if l.p.lasting(Blackhole) {
		c.stalled = true
	}
	c.refused = l.p.lasting(Refuse)
	return c, nil
}

// conn is a client's connection.
type conn struct {
	net.Conn
	p       *Proxy
	refused bool

	once   sync.Once
	closed chan struct{}

	stalled bool // guarded by p.mu
}

func (c *conn) isStalled() bool {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.stalled
}

// Read reads from the client. On a half-open connection it discards what the client
// sends, and returns when the client closes it.
func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if c.refused && n > 0 { // the ClientHello
			c.reset()
			return 0, net.ErrClosed
		}
		if err != nil || !c.isStalled() {
			return n, err
		}
	}
}

func (c *conn) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		if c.isStalled() {
			return len(b), nil
		}
		n, wait := c.p.pace(len(b) - written)
		if !c.wait(wait) {
			return written, net.ErrClosed
		}
		if c.isStalled() {
			return len(b), nil
		}
		n, err := c.Conn.Write(b[written : written+n])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// wait waits for a duration and reports whether the connection is still open.
func (c *conn) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.closed:
		return false
	}
}

// reset closes the connection with a RST instead of a FIN.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// Close is called by the server and by faults.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.closed)
		c.p.mu.Lock()
		delete(c.p.conns, c)
		c.p.mu.Unlock()
		err = c.Conn.Close()
	})
	return err
}
