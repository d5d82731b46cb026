package watch

import (
	"io"
	"net/http"
	"time"
)

// DefaultIdleTimeout is how long a watch may be silent. An API server sends a
// bookmark about once a minute, so three are missing by then.
const DefaultIdleTimeout = 3 * time.Minute

// CloseIdle returns a transport wrapper, for rest.Config.Wrap, that closes the
// body of a watch from which nothing was read for d, so that the informer opens
// a new one. It is the last resort against a peer, such as a load balancer,
// that answers HTTP/2 pings while its own upstream is gone; a dead connection
// is noticed earlier, by those pings (after 45 s by default).
func CloseIdle(d time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper{next: next, idle: d}
	}
}

type roundTripper struct {
	next http.RoundTripper
	idle time.Duration
}

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || !isWatch(req) {
		return resp, err
	}
	body := &idleBody{ReadCloser: resp.Body, idle: t.idle}
	body.timer = time.AfterFunc(t.idle, func() { _ = resp.Body.Close() })
	resp.Body = body
	return resp, nil
}

// WrappedRoundTripper lets client-go reach the transport below.
func (t roundTripper) WrappedRoundTripper() http.RoundTripper { return t.next }

func isWatch(req *http.Request) bool {
	v := req.URL.Query().Get("watch")
	return v == "true" || v == "1"
}

type idleBody struct {
	io.ReadCloser
	idle  time.Duration
	timer *time.Timer
}

func (b *idleBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.idle)
	}
	return n, err
}

func (b *idleBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}
