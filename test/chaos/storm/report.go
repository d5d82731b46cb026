package storm

import (
	"fmt"
	"io"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
	"github.com/kontinue/kontinue/test/chaos/proxy"
)

// Report holds the counts of [Run].
type Report struct {
	Version string
	// First is the first seed, and Seeds the number of seeds that ended.
	First uint64
	Seeds int
	// Injected counts how often each kind of fault took effect.
	Injected map[proxy.Kind]int
	// Steps is the number of steps that were waited for. Jobs and Pods count all that
	// ever existed.
	Steps, Jobs, Pods int
	Findings          *report.Findings
	// Noticed holds the times from the end of a Job, as seen by a watch without faults,
	// until the step noticed. Returned holds the times until the step returned, after
	// its outcome was recorded.
	Noticed, Returned []time.Duration
	Took              time.Duration
}

// Failed reports whether there is any finding.
func (r *Report) Failed() bool { return r.Findings.Failed() }

// Print writes the report as a table.
func (r *Report) Print(to io.Writer) {
	t := report.NewTable(to)
	t.Row("Kubernetes", fmt.Sprintf("%s, %s", r.Version, r.Took.Round(time.Second)))
	t.Row("seeds", fmt.Sprintf("%d, from %d", r.Seeds, r.First))
	t.Row("faults that took effect", r.hits())
	for _, kind := range proxy.Kinds {
		t.Row("  "+string(kind), r.Injected[kind])
	}
	t.Row("steps", r.Steps)
	t.Row("jobs", r.Jobs)
	t.Row("pods", r.Pods)
	t.Counts(r.Findings, report.Lost, report.Duplicate, report.Wrong, report.Unhealthy, report.Leak)
	t.Row("from a job's end until its step noticed", report.Spread(r.Noticed))
	t.Row("from a job's end until its step returned", report.Spread(r.Returned))
	t.Close(r.Findings)
}

// hits returns how often a fault of any kind took effect.
func (r *Report) hits() int {
	total := 0
	for _, n := range r.Injected {
		total += n
	}
	return total
}
