package kill

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// Report holds the counts of [Run].
type Report struct {
	Seed    uint64
	Version string
	// Executions is the number of Executions that ended, and Steps that of their steps
	// in all attempts.
	Executions, Steps int
	// Processes is the number of worker processes, and Kills that of those that SIGKILL
	// ended. ByPlan counts those that ended as planned.
	Processes, Kills int
	ByPlan           map[string]int
	// Overlapping is the number of attempts that began while workers of an earlier one
	// were running, and OverlappingKills that of the kills while workers of several
	// attempts were. Deleted counts the Jobs that a later attempt deleted (RetryAll).
	Overlapping, OverlappingKills, Deleted int
	// Jobs and Pods count all that ever existed.
	Jobs, Pods int
	Findings   *report.Findings
	// Requests counts the requests of the workers for each Job over its lifetime.
	Requests Requests
	// Took is the duration of the kills, Undisturbed that of each worker without one.
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
	t.Row("attempts beside an earlier one", r.Overlapping)
	t.Row("kills with several attempts at once", r.OverlappingKills)
	t.Row("jobs", r.Jobs)
	t.Row("  deleted by a later attempt", r.Deleted)
	t.Row("pods", r.Pods)
	t.Counts(r.Findings, report.Lost, report.Duplicate, report.Wrong)
	t.Row("requests of an undisturbed step", r.Requests.Undisturbed)
	t.Row("requests of a step, workers killed", r.Requests.Killed)
	t.Row("requests of a step, two workers killed", r.Requests.Raced)
	t.Row("requests of a step, several attempts at once", r.Requests.Overlapped)
	if len(r.Undisturbed) > 0 {
		t.Row("slowest undisturbed worker", slices.Max(r.Undisturbed).Round(time.Millisecond))
	}
	if r.Reattach != nil {
		t.Row("re-attach", r.Reattach)
	}
	t.Close(r.Findings)
}
