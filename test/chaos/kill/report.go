package kill

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// Report is what [Run] counted.
type Report struct {
	Seed    uint64
	Version string
	// Executions is how many ended, in all their attempts, with all their Steps.
	Executions, Steps int
	// Processes is the number of worker processes, Kills that of those that ended by
	// SIGKILL, and ByPlan counts those that ended by their plan.
	Processes, Kills int
	ByPlan           map[string]int
	// Jobs and Pods are all that ever existed.
	Jobs, Pods int
	Findings   *report.Findings
	// Requests are those of the workers for each Job in its whole life.
	Requests Requests
	// Took is the time of the kills, Undisturbed that of each worker without one.
	Took        time.Duration
	Undisturbed []time.Duration
	// Reattach is nil if it was not measured.
	Reattach *Reattach
}

// Failed reports whether there is any finding.
func (r *Report) Failed() bool { return r.Findings.Failed() }

// Print writes the report as a table.
func (r *Report) Print(to io.Writer) {
	t := report.NewTable(to)
	t.Row("Kubernetes", fmt.Sprintf("%s, seed %d, %s", r.Version, r.Seed, r.Took.Round(time.Second)))
	t.Row("executions", r.Executions)
	t.Row("steps", r.Steps)
	t.Row("worker processes", r.Processes)
	t.Row("kills", r.Kills)
	for _, plan := range plans {
		t.Row("  "+plan, r.ByPlan[plan])
	}
	t.Row("jobs", r.Jobs)
	t.Row("pods", r.Pods)
	t.Counts(r.Findings, report.Lost, report.Duplicate, report.Wrong)
	t.Row("requests of an undisturbed step", r.Requests.Undisturbed)
	t.Row("requests of a step, its workers killed", r.Requests.Killed)
	t.Row("requests of a step, killed and two at once", r.Requests.Raced)
	if len(r.Undisturbed) > 0 {
		t.Row("an undisturbed worker takes", slices.Max(r.Undisturbed).Round(time.Millisecond))
	}
	if r.Reattach != nil {
		t.Row("re-attach", r.Reattach)
	}
	t.Close(r.Findings)
}
