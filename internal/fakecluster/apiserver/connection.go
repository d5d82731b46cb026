package apiserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// connection is a request that is being served: the http.ResponseWriter of the handler
// and the body of the client's response. Like net/http, it holds back the header until
// the handler has returned or flushed.
type connection struct {
	ctx     context.Context // of the request
	cancel  context.CancelCauseFunc
	header  http.Header   // the handler's
	started chan struct{} // closed when there is a response, or none will come
	done    chan struct{} // closed when the handler has returned

	mu      sync.Mutex
	changed sync.Cond // of mu
	code    int
	sent    http.Header // the client's copy
	begun   bool        // started is closed
	flushed bool        // there is a response, although it is not complete
	buf     []byte      // written; off bytes of it are read
	off     int
	err     error       // what a Read gets once buf is empty; no more is written
	broken  bool        // err is not the end that the handler intended
	closed  bool        // by the client
	stop    func() bool // watching the context
}

// window is how much may be written before it is read.
const window = 64 << 10

func newConnection(ctx context.Context, cancel context.CancelCauseFunc) *connection {
	x := &connection{ctx: ctx, cancel: cancel, header: http.Header{}, started: make(chan struct{}), done: make(chan struct{})}
	x.changed.L = &x.mu
	return x
}

// Header implements http.ResponseWriter.
func (x *connection) Header() http.Header { return x.header }

// WriteHeader implements http.ResponseWriter.
func (x *connection) WriteHeader(code int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.code == 0 {
		x.code, x.sent = code, x.header.Clone()
		x.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // as net/http does
	}
}

// Write implements http.ResponseWriter.
func (x *connection) Write(p []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	x.mu.Lock()
	defer x.mu.Unlock()
	for unread := len(x.buf) - x.off; unread > 0 && unread+len(p) > window && x.err == nil && !x.closed; unread = len(x.buf) - x.off {
		x.flushed = true
		x.begin()
		x.changed.Wait()
	}
	if x.err != nil || x.closed {
		return 0, io.ErrClosedPipe
	}
	x.buf = append(x.buf, p...)
	x.changed.Broadcast()
	return len(p), nil
}

// Flush implements http.Flusher.
func (x *connection) Flush() {
	x.WriteHeader(http.StatusOK)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.flushed = true
	x.begin()
}

// begin lets RoundTrip return. The caller holds mu.
func (x *connection) begin() {
	if !x.begun {
		x.begun = true
		close(x.started)
	}
}

// finish ends the body after what has been written.
func (x *connection) finish() {
	// The only panic of a handler that is no bug.
	p := recover()
	if err, _ := p.(error); p != nil && !errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	x.WriteHeader(http.StatusOK)
	if x.ctx.Err() != nil { // the handler may have returned because of that
		x.canceled(x.ctx)
	}
	x.end(io.EOF, false)
	x.cancel(nil)
}

// abort breaks the connection after what has been written. If the context has ended, err
// is what the handler met because of that.
func (x *connection) abort(err error) {
	if cause := context.Cause(x.ctx); cause != nil {
		err = cause
	}
	x.end(err, true)
}

// canceled breaks the connection because the context of the request has ended. What was
// not read yet is lost.
func (x *connection) canceled(ctx context.Context) {
	x.mu.Lock()
	if x.err == nil {
		x.buf, x.off = nil, 0
	}
	x.mu.Unlock()
	x.end(context.Cause(ctx), true)
}

// end lets Read return err after what has been written.
func (x *connection) end(err error, broken bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err, x.broken = err, broken
	}
	x.begin()
	x.changed.Broadcast()
}

// response returns what RoundTrip does.
func (x *connection) response(ctx context.Context, req *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.broken && !x.flushed {
		x.cancel(nil)
		return nil, x.err
	}
	resp := &http.Response{
		StatusCode: x.code, Status: strconv.Itoa(x.code) + " " + http.StatusText(x.code),
		Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: x.sent, ContentLength: -1, Request: req, Body: x,
	}
	if x.err != nil && !x.broken {
		resp.ContentLength = int64(len(x.buf) - x.off)
	} else {
		// The end of the context ends the body.
		x.stop = context.AfterFunc(ctx, func() { x.canceled(ctx) })
	}
	return resp, nil
}

// Read implements io.Reader.
func (x *connection) Read(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.buf) == x.off && x.err == nil && !x.closed {
		x.changed.Wait()
	}
	switch {
	case x.closed:
		return 0, http.ErrBodyReadAfterClose
	case len(x.buf) == x.off:
		return 0, x.err
	}
	n := copy(p, x.buf[x.off:])
	if x.off += n; x.off == len(x.buf) {
		x.buf, x.off = x.buf[:0], 0 // for the next event
	}
	x.changed.Broadcast()
	return n, nil
}

// Close implements io.Closer. It cancels the request.
func (x *connection) Close() error {
	x.mu.Lock()
	x.closed = true
	x.buf, x.off = nil, 0
	stop := x.stop
	x.changed.Broadcast()
	x.mu.Unlock()
	if stop != nil {
		stop()
	}
	x.cancel(nil)
	return nil
}
