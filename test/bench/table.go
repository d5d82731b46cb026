package bench

import (
	"fmt"
	"strings"
)

// Markdown renders the tables.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Ways to wait for Jobs, side by side\n\nMade by `%s` in `test/bench` (%s).\n", r.Command, r.machine())
	for _, n := range r.Waits {
		r.waitsTable(&b, n)
	}
	return b.String()
}

func (r *Report) waitsTable(b *strings.Builder, n int) {
	fmt.Fprintf(b, "\n## %d waits\n\n", n)
	fmt.Fprintln(b, "| style | requests to attach | watch streams | idle requests/s | bytes per wait | wake median | wake p99 | wake max | CPU s per 1,000 | attach |")
	fmt.Fprintln(b, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	base, compared := r.summary(Kontinue, n)
	floor, _ := r.summary(Floor, n)
	ratio := func(value, of float64) string {
		if !compared || of <= 0 {
			return ""
		}
		return fmt.Sprintf(" (%.3g×)", value/of)
	}
	for _, style := range r.Styles {
		s, ok := r.summary(style, n)
		switch {
		case !ok:
			fmt.Fprintf(b, "| %s | cannot be run: %s | | | | | | | | |\n", descriptions[style], r.cell(style, n).Reason)
		case style == Floor:
			fmt.Fprintf(b, "| %s | | 1 | 0 | | 0 | 0 | 0 | %.2f | |\n", descriptions[style], s.cpu)
		default:
			fmt.Fprintf(b, "| %s | %.0f | %.0f | %.1f | %.0f%s | %s | %s | %s | %.2f%s | %s%s |\n", descriptions[style],
				s.requests, s.streams, s.idle, s.memory, ratio(s.memory, base.memory),
				seconds(s.wake50), seconds(s.wake99), seconds(s.wakeMax),
				s.cpu-floor.cpu, ratio(s.cpu-floor.cpu, base.cpu-floor.cpu), seconds(s.attach), ratio(s.attach, base.attach))
		}
	}
}
