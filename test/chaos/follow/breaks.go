package follow

import (
	"net/http"
	"os"
	"strings"
	"sync"
)

// kind is a way to interrupt a worker.
type kind int

const (
	cut  kind = iota // end its log stream within a line
	kill             // kill its process while it reads
)

// planned is a break at a line.
type planned struct {
	line int
	kind kind
}

// plan spreads cuts and kills evenly over the lines. Lines follow the last one of them.
func plan(lines, cuts, kills int) []planned {
	var all []planned
	n := cuts + kills
	for i := 1; i <= n; i++ {
		p := planned{line: i * lines / (n + 1)}
		if i*(kills+1)/(n+1) > (i-1)*(kills+1)/(n+1) {
			p.kind = kill
		}
		all = append(all, p)
	}
	return all
}

// breaks is a handler that interrupts the log streams that pass through it, one planned
// break after the other. A cut hits the stream that first sends its line, or a later one,
// to the worker that is running. A kill waits until the worker has also written its line.
type breaks struct {
	next http.Handler

	mu      sync.Mutex
	planned []planned
	worker  int    // that is running, from 1
	file    string // that it writes
	kill    func() // kills it; nil between two workers
	cut     int
}

// begin is called when the next worker has started. The streams of the one before, which
// may still be open, are not interrupted.
func (b *breaks) begin(file string, kill func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.worker++
	b.file, b.kill = file, kill
}

// cuts returns the number of streams that were cut.
func (b *breaks) cuts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cut
}

// ServeHTTP implements http.Handler.
func (b *breaks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/log") {
		b.mu.Lock()
		w = &stream{ResponseWriter: w, breaks: b, worker: b.worker}
		b.mu.Unlock()
	}
	b.next.ServeHTTP(w, r)
}

// take removes the next break, and reports whether there is one at a line that is sent to
// a worker. After a kill there is none until the next worker has started.
func (b *breaks) take(worker, line int) (k kind, kill func(), is bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.planned) == 0 || b.kill == nil || b.worker != worker || line < b.planned[0].line {
		return 0, nil, false
	}
	next := b.planned[0]
	if next.kind == cut {
		b.planned = b.planned[1:]
		b.cut++
		return cut, nil, true
	}
	if file, err := os.Stat(b.file); err != nil || file.Size() < size(next.line) {
		return 0, nil, false
	}
	b.planned = b.planned[1:]
	kill, b.kill = b.kill, nil
	return next.kind, kill, true
}

// stream is the response to a request for a log.
type stream struct {
	http.ResponseWriter
	breaks *breaks
	worker int
}

// Write implements http.ResponseWriter. The log of the cluster in memory is sent line by
// line. A cut is anywhere in its line, in the timestamp too.
func (s *stream) Write(p []byte) (int, error) {
	n := lineNumber(p)
	k, kill, is := s.breaks.take(s.worker, n)
	switch {
	case !is:
		return s.ResponseWriter.Write(p)
	case k == cut:
		_, _ = s.ResponseWriter.Write(p[:n%len(p)])
		s.Flush()
		panic(http.ErrAbortHandler)
	}
	written, err := s.ResponseWriter.Write(p)
	s.Flush()
	kill()
	return written, err
}

// Flush implements http.Flusher.
func (s *stream) Flush() {
	// The error is that of a connection that is gone, which the next Write returns too.
	_ = http.NewResponseController(s.ResponseWriter).Flush()
}
