package bench

import (
	"fmt"
	"strings"
)

// Markdown renders the tables.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Ways to wait for Jobs, side by side\n\nMade by `%s` in `test/bench` (%s). Do not edit.\n\n", r.Command, r.machine())
	fmt.Fprint(&b, method)
	r.targetsTable(&b)
	for _, n := range r.Waits {
		r.waitsTable(&b, n)
	}
	fmt.Fprint(&b, "\n![bytes and CPU time over the number of waits](waits.svg)\n")
	return b.String()
}

func (r *Report) waitsTable(b *strings.Builder, n int) {
	fmt.Fprintf(b, "\n## %d waits\n\n", n)
	fmt.Fprintln(b, "| style | requests to attach | watch streams | idle requests/s | bytes per wait | wake median | wake p99 | wake max | result median | CPU s per 1,000 | attach |")
	fmt.Fprintln(b, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
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
			fmt.Fprintf(b, "| %s | cannot be run: %s | | | | | | | | | |\n", descriptions[style], r.cell(style, n).Reason)
		case style == Floor:
			fmt.Fprintf(b, "| %s | | 1 | 0 | | 0 | 0 | 0 | | %.2f | |\n", descriptions[style], s.cpu)
		default:
			fmt.Fprintf(b, "| %s | %.0f | %.0f | %.1f | %.0f%s | %s | %s | %s | %s | %.2f%s | %s%s |\n", descriptions[style],
				s.requests, s.streams, s.idle, s.memory, ratio(s.memory, base.memory),
				seconds(s.wake50), seconds(s.wake99), seconds(s.wakeMax), seconds(s.result50),
				s.cpu-floor.cpu, ratio(s.cpu-floor.cpu, base.cpu-floor.cpu), seconds(s.attach), ratio(s.attach, base.attach))
		}
	}
}

// method says what the columns are.
const method = `Each style waits for the same Jobs in a process of its own, on one control plane
whose Job controller and kubelet are played by the driver; 5 % of the Jobs end (at
most half, at least 200), at most so many a second as -pace says (by default 25), the rest is
waited for on. Each process holds one raw watch of the Jobs besides. In parentheses:
the ratio to kontinue.

- *requests to attach*: until all waits wait; *idle* requests are those after that.
- *bytes per wait*: heap in use and stacks after garbage collection, less those of
  the process before, by the number of waits. Connections and other constant costs
  are in it, which counts at few waits.
- *wake*: from the terminal event's arrival through the raw watch until the waiter
  goes on. It is negative where the style's own stream was faster. Of kontinue
  without OnProgress, and of the informers that record, the sending of the record is
  taken, which is later: the record is made by then. *Result*: until the waiter has
  its result, which is when a record is on the Job.
- *CPU*: user and system time of the process while the sample ends, less that of the
  process with the raw watch alone. A record is one more event of the Job, for the
  style's own watch and for the raw one.
- *attach*: from nothing until all waits wait.
- A style whose second or later run took more than a minute is not run again.
- The client's own rate limit is off in all styles, and the user is exempt from the
  API server's. A watch per wait needs as many streams: client-go opens further
  connections by itself, no limit was raised for it. That style and the polling one
  open 90 requests at a time at most, since thousands of TLS handshakes at once time
  out; 10,000 polls in 2 s are more than the API server answers on such a machine.

What was run with other settings than these, and what is known of targets that
were not reached, is in [NOTES.md](NOTES.md).
`
