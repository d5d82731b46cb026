package kontinuetest

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/kubeclient"
)

// process stands for a process of the program under test, which a crash ends.
type process struct {
	ctx    context.Context // ends with the crash, for which its cause is ErrCrashed
	die    context.CancelCauseFunc
	runs   context.Context  // ends with the test, too
	client *kontinue.Client // of Cluster.Client
}

// newProcess returns a process whose functions run until the test's context ends; its clients
// are stopped later than that.
func newProcess(test context.Context) *process {
	p := &process{}
	p.ctx, p.die = context.WithCancelCause(context.WithoutCancel(test))
	var end context.CancelCauseFunc
	p.runs, end = context.WithCancelCause(p.ctx)
	context.AfterFunc(test, func() { end(context.Cause(test)) })
	return p
}

// crashPoint is a request at which a process crashes.
type crashPoint struct {
	verb, resource string
	after          bool // the request has been carried out
	name           string
	reached        atomic.Bool
}

// take reports whether the request is the one, which happens once.
func (p *crashPoint) take(r kubeclient.Request) bool {
	return (p.verb == "" || p.verb == r.Verb) && (p.resource == "" || p.resource == r.Resource) &&
		p.reached.CompareAndSwap(false, true)
}

// wire is the network between a process and the cluster. Nothing passes it after the crash.
type wire struct {
	next    http.RoundTripper
	cluster *Cluster
	process *process
}

// RoundTrip implements http.RoundTripper.
func (w wire) RoundTrip(req *http.Request) (*http.Response, error) {
	p := w.process
	if p.ctx.Err() != nil {
		return nil, refuse(req)
	}
	point := w.cluster.crashPoint(kubeclient.RequestOf(req))
	if point != nil && !point.after {
		w.cluster.crash(p)
		return nil, refuse(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(p.ctx, func() { cancel(ErrCrashed) })
	release := func() {
		stop()
		cancel(nil)
	}
	resp, err := w.next.RoundTrip(req.WithContext(ctx))
	if point != nil {
		w.cluster.crash(p)
	}
	if p.ctx.Err() != nil { // the process does not receive the response
		if err == nil {
			resp.Body.Close()
		}
		err = ErrCrashed
	}
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &body{resp.Body, p, release}
	return resp, nil
}

// refuse is the answer to a request of a process that has crashed.
func refuse(req *http.Request) error {
	if req.Body != nil {
		req.Body.Close()
	}
	return ErrCrashed
}

// WrappedRoundTripper lets client-go find the transport below.
func (w wire) WrappedRoundTripper() http.RoundTripper { return w.next }

// body is that of a response, whose context ends with it.
type body struct {
	io.ReadCloser
	process *process
	release func()
}

// Read implements io.Reader. Nothing is received after the crash.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.process.ctx.Err() != nil {
		return 0, ErrCrashed
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// restConfig returns the configuration of a client of the process.
func (c *Cluster) restConfig(p *process) *rest.Config {
	config := c.cluster.RESTConfig()
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return wire{next, c, p} })
	return config
}
