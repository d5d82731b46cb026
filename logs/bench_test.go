package logs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkFollow follows a million numbered lines over real HTTP, with bursts of lines
// that share a timestamp. The streams are cut 200 times, within a line each, and the
// follower ends three times, as with its process: the next one has another writer and
// gets the log from its first line. It reports the lines that were lost or written twice,
// the most memory that the heap had beyond that of before, and the lines per second.
func BenchmarkFollow(b *testing.B) {
	const lines, cuts, restarts = 1_000_000, 200, 3
	var lost, doubled, peak, read int
	began := time.Now()
	for b.Loop() {
		s := &serve{source: sourceOf(running)}
		var stop atomic.Pointer[context.CancelFunc]
		s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
			end := min(lines, n*lines/cuts)
			if end == lines {
				s.source.Set(ended)
			}
			generate(w, sinceLine(r), end)
			if n <= cuts {
				_, _ = fmt.Fprintf(w, "%s lin", stamp(end))
				if n%(cuts/(restarts+1)) == 0 && n < cuts {
					(*stop.Load())()
				}
				cut(w)
			}
		}
		r := s.reader(b)
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range restarts + 1 {
			ctx, cancel := context.WithCancel(b.Context())
			stop.Store(&cancel)
			check := &checker{base: before.HeapAlloc}
			report, err := r.Follow(ctx, ref, s.source, check)
			cancel()
			if i == restarts {
				require.NoError(b, err)
				require.True(b, report.Complete)
				check.lost += lines - check.next
			}
			lost, doubled, peak, read = lost+check.lost, doubled+check.doubled, max(peak, check.peak), read+int(report.Lines)
		}
	}
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(float64(doubled), "doubled")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	b.ReportMetric(float64(read)/time.Since(began).Seconds(), "lines/s")
	require.Zero(b, lost+doubled)
}

// burst is how many lines of the generated log share a timestamp.
const burst = 50

// stamp is the timestamp of a line of the generated log.
func stamp(i int) string {
	return epoch.Add(time.Duration(i/burst) * time.Millisecond).Format("2006-01-02T15:04:05.000000000Z07:00")
}

// sinceLine is the first line that the request asks for.
func sinceLine(r *http.Request) int {
	at, err := time.Parse(time.RFC3339, r.URL.Query().Get("sinceTime"))
	if err != nil {
		return 0
	}
	return burst * int(at.Sub(epoch)/time.Millisecond)
}

func generate(w http.ResponseWriter, from, to int) {
	out := bufio.NewWriterSize(w, 64<<10)
	for i := from; i < to; i++ {
		_, _ = fmt.Fprintf(out, "%s line %d\n", stamp(i), i)
	}
	_ = out.Flush()
}

// checker is a writer that expects the lines in their order.
type checker struct {
	next, lost, doubled int
	base                uint64
	peak                int
	writes              int
}

func (c *checker) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		n, err := strconv.Atoi(string(bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("line ")), []byte("\n"))))
		switch {
		case err != nil:
			return 0, err
		case n < c.next:
			c.doubled++
		default:
			c.lost += n - c.next
			c.next = n + 1
		}
	}
	if c.writes++; c.writes%100 == 0 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		c.peak = max(c.peak, int(now.HeapAlloc)-int(c.base))
	}
	return len(p), nil
}
