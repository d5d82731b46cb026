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

// memory is what a process holds: heap spans in use and stacks, after garbage
// collection. Live is what of the heap is reachable.
type memory struct{ Heap, Stacks, Live uint64 }

func (m memory) total() float64 { return float64(m.Heap + m.Stacks) }

// since is what was added after before.
func (m memory) since(before memory) memory {
	return memory{
		Heap: m.Heap - min(before.Heap, m.Heap), Stacks: m.Stacks - min(before.Stacks, m.Stacks), Live: m.Live - min(before.Live, m.Live),
	}
}

// readMemory collects garbage until stacks have shrunk: each collection halves
// those that use less than a quarter.
func readMemory() memory {
	for range 5 {
		runtime.GC()
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return memory{Heap: s.HeapInuse, Stacks: s.StackInuse, Live: s.HeapAlloc}
}

// cpuTime is the CPU time that the process has used, user and system.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// counter counts the requests of a style, and tells of each before it is sent.
type counter struct {
	next     http.RoundTripper
	requests atomic.Int64
	writes   atomic.Int64
	watches  atomic.Int64 // opened, in all
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
	response.Body = &closeTeller{ReadCloser: response.Body, closed: func() { open.Add(-1) }}
	return response, nil
}

type closeTeller struct {
	io.ReadCloser
	once   sync.Once
	closed func()
}

func (c *closeTeller) Close() error {
	c.once.Do(c.closed)
	return c.ReadCloser.Close()
}

// quiet reports that no goroutine runs or could run, but this one and those of
// the runtime.
func quiet() bool {
	samples := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}, {Name: "/sched/goroutines/running:goroutines"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() == 0 && samples[1].Value.Uint64() <= 1
}
