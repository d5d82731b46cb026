package durability

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what [Run] counted.
type Report struct {
	Seed    uint64
	Version string
	// Executions came to their end, in all their attempts and with all their Steps.
	Executions, Steps int
	// Lives are worker processes, Kills those that ended by SIGKILL, ByKind how
	// many by which plan.
	Lives, Kills int
	ByKind       map[string]int
	// Jobs and Pods are all that ever were.
	Jobs, Pods int
	// Duplicates are Jobs and pods that were one too many for their step, Lost
	// results that nobody got, Wrong those that were another than expected or than
	// was told before. Faults describes the first of them.
	Duplicates, Lost, Wrong int
	Faults                  []string
	// Requests are those of the workers for each Job in its whole life.
	Requests Requests
	// Took is the time of it all, Undisturbed that of each worker nobody killed.
	Took        time.Duration
	Undisturbed []time.Duration
	// Reattach is nil if it was not asked for.
	Reattach *Reattach
}

// Failed tells that something was that must not be.
func (r *Report) Failed() bool { return r.Duplicates+r.Lost+r.Wrong > 0 }

// Print writes the report as a table.
func (r *Report) Print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	row("Kubernetes", fmt.Sprintf("%s, seed %d, %s", r.Version, r.Seed, r.Took.Round(time.Second)))
	row("executions", r.Executions)
	row("steps", r.Steps)
	row("worker processes", r.Lives)
	row("kills", r.Kills)
	for _, kind := range kinds {
		row("  "+kind, r.ByKind[kind])
	}
	row("jobs", r.Jobs)
	row("pods", r.Pods)
	row("duplicates", r.Duplicates)
	row("lost", r.Lost)
	row("wrong", r.Wrong)
	row("requests of an undisturbed step", r.Requests.Undisturbed)
	row("requests of a step, its workers killed", r.Requests.Killed)
	row("requests of a step, killed and two at once", r.Requests.Raced)
	if len(r.Undisturbed) > 0 {
		row("an undisturbed worker takes", slices.Max(r.Undisturbed).Round(time.Millisecond))
	}
	if r.Reattach != nil {
		row("re-attach", r.Reattach)
	}
	_ = w.Flush()
	for _, fault := range r.Faults {
		fmt.Fprintln(to, "FAULT:", strings.TrimSpace(fault))
	}
}
