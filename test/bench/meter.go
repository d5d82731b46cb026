package bench

import (
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// memory is what a process holds after garbage collection: heap spans in use, and
// stacks. Live is the reachable part of the heap.
type memory struct{ Heap, Stacks, Live uint64 }

func (m memory) total() float64 { return float64(m.Heap + m.Stacks) }

// since returns what was added since before was read.
func (m memory) since(before memory) memory {
	return memory{
		Heap: m.Heap - min(before.Heap, m.Heap), Stacks: m.Stacks - min(before.Stacks, m.Stacks), Live: m.Live - min(before.Live, m.Live),
	}
}

// readMemory collects garbage several times so that stacks shrink: each collection
// halves those of which less than a quarter is in use.
func readMemory() memory {
	for range 5 {
		runtime.GC()
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return memory{Heap: s.HeapInuse, Stacks: s.StackInuse, Live: s.HeapAlloc}
}

// cpuTime returns the user and system CPU time of the process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// counter counts the requests of a style, and calls onPatch before each PATCH.
type counter struct {
	next     http.RoundTripper
	requests atomic.Int64
	writes   atomic.Int64
	watches  atomic.Int64 // opened so far
	streams  atomic.Int64 // open now
	open     atomic.Int64 // other requests, open now
	onPatch  func(path string)
}

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	c.next = next
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPatch && c.onPatch != nil {
		c.onPatch(r.URL.Path)
	}
	c.requests.Add(1)
	if r.Method != http.MethodGet {
		c.writes.Add(1)
	}
	open := &c.open
	if strings.Contains(r.URL.RawQuery, "watch=") {
		c.watches.Add(1)
		open = &c.streams
	}
	open.Add(1)
	response, err := c.next.RoundTrip(r)
	if err != nil || open == &c.open {
		open.Add(-1)
		return response, err
	}
	response.Body = &closeNotifier{ReadCloser: response.Body, closed: func() { open.Add(-1) }}
	return response, nil
}

type closeNotifier struct {
	io.ReadCloser
	once   sync.Once
	closed func()
}

func (c *closeNotifier) Close() error {
	c.once.Do(c.closed)
	return c.ReadCloser.Close()
}

// quiet reports whether no goroutine is running or runnable, except this one and
// those of the runtime.
func quiet() bool {
	samples := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}, {Name: "/sched/goroutines/running:goroutines"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() == 0 && samples[1].Value.Uint64() <= 1
}
