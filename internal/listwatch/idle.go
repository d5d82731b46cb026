package listwatch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// DefaultIdleTimeout is how long a watch may be silent. An API server sends a bookmark
// about once a minute, so three have been missed then.
const DefaultIdleTimeout = 3 * time.Minute

// headerTimeout bounds the wait for the headers of a watch. An API server sends them
// at once, after at most 15 s in a queue (API Priority and Fairness).
const headerTimeout = 30 * time.Second

// CloseIdle returns a transport wrapper, for rest.Config.Wrap, that ends a watch
// without data for d, and one without headers after 30 s, so that the reflector opens
// a new one. It is the last resort against a peer, such as a load balancer, that
// answers HTTP/2 pings while its own upstream is gone; those pings find a dead
// connection earlier (after 45 s by default).
func CloseIdle(d time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper{next: next, idle: d}
	}
}

type roundTripper struct {
	next http.RoundTripper
	idle time.Duration
}

// errIdle is why the transport ended a request.
var errIdle = errors.New("watch: nothing came from the API server for too long")

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if !isWatch(req) {
		return t.next.RoundTrip(req)
	}
	stream := streamOf(req.Context())
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(min(t.idle, headerTimeout), func() { cancel(errIdle) })
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		if context.Cause(ctx) == errIdle { //nolint:errorlint // the cause is never wrapped
			err = errIdle
		}
		cancel(nil)
		return resp, err
	}
	timer.Reset(t.idle)
	body := resp.Body
	release := context.AfterFunc(ctx, func() { _ = body.Close() })
	resp.Body = &idleBody{ReadCloser: body, ctx: ctx, idle: t.idle, timer: timer, stream: stream, answer: stream.open(), end: func() {
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
	stream *stream
	answer int // of the stream
	end    func()
}

func (b *idleBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.idle)
		b.stream.touch()
	}
	switch {
	case err == nil, errors.Is(err, io.EOF):
	case context.Cause(b.ctx) == errIdle: //nolint:errorlint // the cause is never wrapped
		b.stream.end(b.answer, errIdle)
		err = io.ErrUnexpectedEOF
	case b.ctx.Err() == nil:
		// client-go treats a lost connection as an error of the API server and lists again.
		// It resumes a stream that ends early from where it was.
		b.stream.end(b.answer, err)
		err = io.ErrUnexpectedEOF
	default:
		// The informer has stopped and closed the body: the read fails for that reason.
		b.stream.end(b.answer, b.ctx.Err())
	}
	if err != nil {
		b.stream.end(b.answer, err) // the stream has ended in good order
	}
	return n, err
}

func (b *idleBody) Close() error {
	b.stream.end(b.answer, io.EOF) // the informer ends it: what a later read returns does not count
	b.end()
	return b.ReadCloser.Close()
}
