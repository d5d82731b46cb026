package bench

import (
	"fmt"
	"slices"
)

// measurement has the figures of one run of one style.
type measurement struct{ Attach, Idle, Sample figures }

// perWait is the memory of one of n waits, in bytes.
func (m measurement) perWait(n int) float64 { return m.Attach.Memory.total() / float64(n) }

func (m measurement) idleRate() float64 { return float64(m.Idle.Requests) / m.Idle.Took }

// perThousand is the CPU time of 1,000 completions, in seconds.
func (m measurement) perThousand() float64 {
	return m.Sample.CPU / float64(len(m.Sample.Wake)) * 1000
}

// String returns a line for Options.Progress.
func (m measurement) String() string {
	return fmt.Sprintf("attach %.3fs %d requests %d streams %.1f MB (%.1f live, %.1f stacks); idle %.1f/s; wake %s %s %s; cpu/1000 %.2fs",
		m.Attach.Took, m.Attach.Requests, m.Idle.Watches, m.Attach.Memory.total()/1e6, float64(m.Attach.Memory.Live)/1e6, float64(m.Attach.Memory.Stacks)/1e6, m.idleRate(),
		seconds(quantile(m.Sample.Wake, 0.5)), seconds(quantile(m.Sample.Wake, 0.99)), seconds(quantile(m.Sample.Wake, 1)), m.perThousand())
}

// quantile returns the nearest-rank quantile of unsorted values, or 0 if there are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// seconds formats a duration for readers, to about three significant digits.
func seconds(s float64) string {
	switch abs := max(s, -s); {
	case abs >= 1:
		return fmt.Sprintf("%.2f s", s)
	case abs >= 0.001:
		return fmt.Sprintf("%.2f ms", s*1e3)
	default:
		return fmt.Sprintf("%.0f µs", s*1e6)
	}
}
