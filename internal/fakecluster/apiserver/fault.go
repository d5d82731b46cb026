package apiserver

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"
)

// Forever is a delay that ends with the request's context only.
const Forever = time.Duration(math.MaxInt64)

// Fault disturbs the requests that it matches. If several fields are set, they apply in
// the order of the fields.
//
// An API status error becomes a response: a Status with its code, and with Retry-After
// if it suggests a delay. Any other error breaks the connection: the client receives it
// instead of a response.
type Fault struct {
	Match
	// Times is how many requests are disturbed; 0 means all.
	Times int
	// Delay holds the request back, or until its context ends.
	Delay time.Duration
	// Before is the error of a request that has no effect.
	Before error
	// ResponseDelay holds back the response of a request that took effect. With Forever
	// it never comes.
	ResponseDelay time.Duration
	// After is the error of a request that took effect, as if the response were lost.
	After error
	// Body disturbs the body of the response: of an object, a watch or a log.
	Body *BodyFault
}

// BodyFault disturbs the body of a response whose header is sent.
type BodyFault struct {
	// Pause follows each piece of the body: a slow drip. Without it, only the first piece
	// is sent.
	Pause time.Duration
	// Bytes is the size of a piece. With Pause it is at least 1.
	Bytes int
	// Break is the error that the client reads then, for example syscall.ECONNRESET. If it
	// is nil, the body ends like a complete one.
	Break error
	// Stall sends nothing more and does not end the body.
	Stall bool
}

type faultState struct {
	Fault
	left int
}

// AddFault disturbs matching requests until undo is called or Times is used up.
func (s *Server) AddFault(f Fault) (undo func()) {
	return add(s, &s.faults, &faultState{Fault: f, left: f.Times})
}

// takeFault returns the first fault that applies and counts it.
func (s *Server) takeFault(r Request) *Fault {
	s.policyMu.RLock()
	none := len(s.faults) == 0
	s.policyMu.RUnlock()
	if none {
		return &Fault{}
	}
	s.policyMu.Lock()
	defer s.policyMu.Unlock()
	for _, f := range s.faults {
		if !f.matches(r, s.opts.User) || f.Times > 0 && f.left == 0 {
			continue
		}
		f.left--
		return &f.Fault
	}
	return &Fault{}
}

// pause waits for d. It reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	switch d {
	case 0:
		return ctx.Err() == nil
	case Forever:
		<-ctx.Done()
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errTruncated ends a body early and in an orderly way.
var errTruncated = errors.New("the body is truncated")

// disturbed is the writer of a response with a BodyFault.
type disturbed struct {
	http.ResponseWriter
	ctx   context.Context
	fault *BodyFault
	piece int // its size
	sent  int // of the present piece
}

func disturb(ctx context.Context, w http.ResponseWriter, f *BodyFault) http.ResponseWriter {
	d := &disturbed{ResponseWriter: w, ctx: ctx, fault: f, piece: f.Bytes}
	if f.Pause > 0 {
		d.piece = max(d.piece, 1)
	}
	return d
}

// Write implements http.ResponseWriter.
func (d *disturbed) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		piece := min(len(p), d.piece-d.sent)
		n, err := d.ResponseWriter.Write(p[:piece])
		written, d.sent, p = written+n, d.sent+n, p[n:]
		if err != nil {
			return written, err
		}
		d.Flush()
		if d.sent < d.piece {
			break
		}
		if err := d.interrupt(); err != nil {
			return written, err
		}
	}
	return written, nil
}

// interrupt is called after each piece.
func (d *disturbed) interrupt() error {
	switch f := d.fault; {
	case f.Stall:
		<-d.ctx.Done()
	case f.Pause > 0:
		d.sent = 0
		if pause(d.ctx, f.Pause) {
			return nil
		}
	case f.Break != nil:
		abort(d.ResponseWriter, f.Break)
	default:
		return errTruncated
	}
	return context.Cause(d.ctx)
}

// Flush implements http.Flusher.
func (d *disturbed) Flush() {
	if f, ok := d.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func (d *disturbed) abort(err error) { abort(d.ResponseWriter, err) }
