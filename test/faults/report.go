package faults

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kontinue/kontinue/test/faults/proxy"
)

// Report is what [Run] counted.
type Report struct {
	Version string
	// First is the first seed, Seeds how many came to their end.
	First uint64
	Seeds int
	// Injected is how often each kind of fault hit something.
	Injected map[proxy.Kind]int
	// Steps is how many were waited for, Jobs and Pods are all that ever were.
	Steps, Jobs, Pods int
	// Lost are steps without a result, Duplicates Jobs and pods that were one too
	// many for their step, Wrong results that were another than expected,
	// Unhealthy clients that did not heal or stop, Leaks texts in which a value of
	// env or args was. Faults describes the first of them.
	Lost, Duplicates, Wrong, Unhealthy, Leaks int
	Faults                                    []string
	// Noticed is the time from a Job's end, as a watch without faults shows it, to
	// when its wait knew; Returned the time to when the step returned, after the
	// outcome was recorded.
	Noticed, Returned []time.Duration
	Took              time.Duration
}

func newReport(o Options, version string) *Report {
	return &Report{Version: version, First: o.First, Injected: map[proxy.Kind]int{}}
}

// Failed tells that something was that must not be.
func (r *Report) Failed() bool {
	return r.Lost+r.Duplicates+r.Wrong+r.Unhealthy+r.Leaks > 0
}

// Print writes the report as a table.
func (r *Report) Print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	row("Kubernetes", fmt.Sprintf("%s, %s", r.Version, r.Took.Round(time.Second)))
	row("seeds", fmt.Sprintf("%d, from %d", r.Seeds, r.First))
	total := 0
	for _, n := range r.Injected {
		total += n
	}
	row("faults that hit", total)
	for _, kind := range proxy.Kinds {
		row("  "+string(kind), r.Injected[kind])
	}
	row("steps", r.Steps)
	row("jobs", r.Jobs)
	row("pods", r.Pods)
	row("lost", r.Lost)
	row("duplicates", r.Duplicates)
	row("wrong", r.Wrong)
	row("clients that did not heal or stop", r.Unhealthy)
	row("leaks of env or args", r.Leaks)
	row("from a job's end until its wait knew", spread(r.Noticed))
	row("from a job's end until the step returned", spread(r.Returned))
	_ = w.Flush()
	for _, fault := range r.Faults {
		fmt.Fprintln(to, "FAULT:", strings.TrimSpace(fault))
	}
}

// spread gives median, 99th percentile and maximum.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(d))
	at := func(q float64) time.Duration {
		return max(0, sorted[int(q*float64(len(sorted)-1))]).Round(time.Millisecond)
	}
	return fmt.Sprintf("%s median, %s 99th percentile, %s longest", at(0.5), at(0.99), at(1))
}
