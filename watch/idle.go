package watch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// DefaultIdleTimeout is how long a watch may be silent. An API server sends a
// bookmark about once a minute, so three are missing by then.
const DefaultIdleTimeout = 3 * time.Minute

// headersWithin is how long the headers of a watch may take. An API server sends
// them at once, after 15 s in a queue at most (API Priority and Fairness).
const headersWithin = 30 * time.Second

// CloseIdle returns a transport wrapper, for rest.Config.Wrap, that ends a watch
// from which nothing came for d, and one without headers after 30 s, so that the
// informer opens a new one. It is the last resort against a peer, such as a load
// balancer, that answers HTTP/2 pings while its own upstream is gone; a dead
// connection is noticed earlier, by those pings (after 45 s by default).
func CloseIdle(d time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper{next: next, idle: d}
	}
}

type roundTripper struct {
	next http.RoundTripper
	idle time.Duration
}

// errIdle is what the reader of the watch gets.
var errIdle = errors.New("watch: nothing came from the API server for too long")

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if !isWatch(req) {
		return t.next.RoundTrip(req)
	}
	line := lineOf(req.Context())
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(min(t.idle, headersWithin), func() { cancel(errIdle) })
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		if context.Cause(ctx) == errIdle { //nolint:errorlint // it is that very value
			err = errIdle
		}
		cancel(nil)
		return resp, err
	}
	timer.Reset(t.idle)
	body := resp.Body
	release := context.AfterFunc(ctx, func() { _ = body.Close() })
	resp.Body = &idleBody{ReadCloser: body, ctx: ctx, idle: t.idle, timer: timer, line: line, answer: line.open(), end: func() {
		timer.Stop()
		release()
		cancel(nil)
	}}
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
	ctx    context.Context // of the request
	idle   time.Duration
	timer  *time.Timer
	line   *line
	answer int // of the line
	end    func()
}

func (b *idleBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.idle)
		b.line.hear()
	}
	switch {
	case err == nil, errors.Is(err, io.EOF):
	case context.Cause(b.ctx) == errIdle: //nolint:errorlint // it is that very value
		b.line.end(b.answer, errIdle)
		err = io.ErrUnexpectedEOF
	case b.ctx.Err() == nil:
		// A connection that was lost is for client-go an error of the API server's,
		// after which it lists anew; this one is a stream that broke off, which is
		// resumed where it was.
		b.line.end(b.answer, err)
		err = io.ErrUnexpectedEOF
	default:
		// The informer's own end, which has closed the body: what a read of that says is
		// no news.
		b.line.end(b.answer, b.ctx.Err())
	}
	if err != nil {
		b.line.end(b.answer, err) // the stream has ended in good order
	}
	return n, err
}

func (b *idleBody) Close() error {
	b.line.end(b.answer, io.EOF) // the informer ends it: what a read says now is no news
	b.end()
	return b.ReadCloser.Close()
}
