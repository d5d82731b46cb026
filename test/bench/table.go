package bench

import (
	"fmt"
	"strings"
)

// Markdown renders the tables of the comparison, and nothing if that was skipped.
func (r *Report) Markdown() string {
	if len(r.Waits) == 0 {
		return ""
	}
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
			fmt.Fprintf(b, "| %s | failed: %s | | | | | | | | | |\n", descriptions[style], r.cell(style, n).Reason)
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

// method explains the measurement and the columns.
const method = `[chain.md](chain.md) comes first: how long a chain of scripts takes on a real node, which
is what a user feels. This page is about many waits at once.

Each style waits for the same Jobs in a separate process, on one control plane whose
Job controller and kubelet are simulated by the driver. 5 % of the Jobs end (at least
200, but no more than half), at most -pace of them per second (25 by default). The
waits for the others continue. Each process also holds one raw watch of the Jobs. The
figures in parentheses are ratios to kontinue.

- *requests to attach*: those sent until all waits have begun. *Idle* requests are those
  sent after that.
- *bytes per wait*: heap in use and stacks after garbage collection, minus those of the
  process before, divided by the number of waits. They include connections and other
  constant costs, which matter with few waits.
- *wake*: the time from the arrival of the terminal event on the raw watch until the
  waiter runs. It is negative if the style's own stream was faster. For kontinue without
  OnProgress, and for the informers that record, it ends later, when the record is built
  and about to be sent. *Result*: the time until the waiter has its result, which is
  after the record is on the Job if the style writes one.
- *CPU*: user and system time of the process while the sample ends, minus that of the
  process with the raw watch alone. A record causes one more event of the Job, on the
  style's own watch and on the raw one.
- *attach*: the time from the start of the style until all waits have begun.
- A style whose second or later run took more than a minute is not run again.
- No style has a client-side rate limit, and the user is exempt from API Priority and
  Fairness. A watch per wait needs one stream for each: client-go opens more connections
  by itself; no limit was raised. That style and polling open at most 90 requests at a
  time, since thousands of concurrent TLS handshakes time out. 10,000 polls in 2 s are
  more than the API server can answer on such a machine.

[NOTES.md](NOTES.md) says which figures come from other settings, and what is known
about targets that were missed.
`
