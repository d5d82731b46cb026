package simulate

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// serverTimeout is when an API server ends a request that is not a watch.
const serverTimeout = time.Minute

// wire is the network of one process. After the crash of the process nothing passes it.
type wire struct {
	inner  http.RoundTripper
	detach bool // writes are carried out although the caller has gone
	// crash is called at the n-th request from 1, watches not counted, before or after it
	// is carried out.
	crashOn     int
	crashBefore bool
	crash       func()
	dead        chan struct{} // closed by the crash
	requests    sync.WaitGroup

	mu       sync.Mutex
	sent     int
	lists    map[string]int // open LISTs by resource
	maxLists map[string]int
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	kind := kindOf(req)
	n := 0
	if kind != "watch" {
		n = w.count()
	}
	if n > 0 && n == w.crashOn && w.crashBefore {
		w.crash()
	}
	if w.isDead() {
		return w.silence(ctx)
	}
	done := w.open(kind)
	resp, err := w.send(req, kind)
	done()
	if n > 0 && n == w.crashOn && !w.crashBefore {
		w.crash()
	}
	if w.isDead() {
		if err == nil {
			_ = resp.Body.Close()
		}
		return w.silence(ctx)
	}
	if err == nil {
		resp.Body = &body{ReadCloser: resp.Body, wire: w, ctx: ctx}
	}
	return resp, err
}

// silence is the answer of a network that the process can no longer reach.
func (w *wire) silence(ctx context.Context) (*http.Response, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (w *wire) isDead() bool {
	select {
	case <-w.dead:
		return true
	default:
		return false
	}
}

// send sends a write that may outlive its caller, as one does that a server has received.
func (w *wire) send(req *http.Request, kind string) (*http.Response, error) {
	if !w.detach || kind != "write" {
		return w.inner.RoundTrip(req)
	}
	type answer struct {
		resp *http.Response
		err  error
	}
	answered := make(chan answer, 1)
	own, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), serverTimeout)
	w.requests.Go(func() {
		resp, err := w.inner.RoundTrip(req.WithContext(own))
		if err == nil {
			resp.Body = &detached{resp.Body, cancel}
		} else {
			cancel()
		}
		answered <- answer{resp, err}
	})
	select {
	case a := <-answered:
		return a.resp, a.err
	case <-req.Context().Done():
		w.requests.Go(func() {
			if a := <-answered; a.err == nil {
				_ = a.resp.Body.Close()
			}
		})
		return nil, context.Cause(req.Context())
	}
}

// detached is the body of a response whose context ends with it.
type detached struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (d *detached) Close() error {
	defer d.cancel()
	return d.ReadCloser.Close()
}

// body is that of a response: nothing of it arrives after the crash.
type body struct {
	io.ReadCloser
	wire *wire
	ctx  context.Context
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.wire.isDead() {
		<-b.ctx.Done()
		return 0, context.Cause(b.ctx)
	}
	return n, err
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	return w.sent
}

// open counts a LIST as open until done is called.
func (w *wire) open(kind string) (done func()) {
	resource, ok := strings.CutPrefix(kind, "list ")
	if !ok {
		return func() {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists[resource]++
	w.maxLists[resource] = max(w.maxLists[resource], w.lists[resource])
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lists[resource]--
	}
}

// kindOf returns "watch", "write", "get", or "list" with the resource.
func kindOf(req *http.Request) string {
	if req.Method != http.MethodGet {
		return "write"
	}
	if v := req.URL.Query().Get("watch"); v == "true" || v == "1" {
		return "watch"
	}
	last := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	if last == "jobs" || last == "pods" {
		return "list " + last
	}
	return "get"
}
