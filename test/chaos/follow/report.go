package follow

import (
	"fmt"
	"io"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// Report holds the counts of [Run].
type Report struct {
	// Lines is the number of lines of the log, and Rate how many of them were written in
	// a second.
	Lines, Rate int
	// Cuts is the number of log streams that were cut.
	Cuts int
	// Workers is what each worker has written. All but the last one were killed.
	Workers []Written
	// Reopened is how often the last worker has opened the log again.
	Reopened int
	// Peak is the most memory that the last worker has used, and Idle what it had used
	// before its step began, in bytes.
	Idle, Peak int64
	Findings   *report.Findings
	Took       time.Duration
}

// Failed reports whether there is any finding.
func (r *Report) Failed() bool { return r.Findings.Failed() }

// Print writes the report as a table.
func (r *Report) Print(to io.Writer) {
	t := report.NewTable(to)
	t.Row("lines of the log", fmt.Sprintf("%d, %d a second", r.Lines, r.Rate))
	t.Row("streams cut", r.Cuts)
	t.Row("workers killed", len(r.Workers)-1)
	var sum Written
	for i, w := range r.Workers {
		t.Row(fmt.Sprintf("lines written by worker %d", i+1), w.Lines)
		sum.Lost, sum.Doubled, sum.Wrong = sum.Lost+w.Lost, sum.Doubled+w.Doubled, sum.Wrong+w.Wrong
	}
	t.Row("lines lost", sum.Lost)
	t.Row("lines doubled", sum.Doubled)
	t.Row("lines wrong", sum.Wrong)
	t.Row("logs opened again by the last worker", r.Reopened)
	t.Row("peak memory of the last worker", fmt.Sprintf("%.1f MiB, %.1f MiB before the step", mib(r.Peak), mib(r.Idle)))
	t.Row("took", r.Took.Round(time.Second))
	t.Close(r.Findings)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
