package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Table writes rows with aligned columns. Close flushes it.
type Table struct {
	to io.Writer
	w  *tabwriter.Writer
}

// NewTable returns a Table that writes to an io.Writer.
func NewTable(to io.Writer) *Table {
	return &Table{to: to, w: tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)}
}

// Row adds a row.
func (t *Table) Row(name string, value any) {
	fmt.Fprintf(t.w, "%s\t%v\n", name, value)
}

// Counts adds a row for each kind of finding.
func (t *Table) Counts(f *Findings, kinds ...Kind) {
	for _, kind := range kinds {
		t.Row(string(kind), f.Count(kind))
	}
}

// Close writes the table, and below it the descriptions of the first findings.
func (t *Table) Close(f *Findings) {
	_ = t.w.Flush()
	for _, c := range f.Cases() {
		fmt.Fprintln(t.to, "FINDING:", strings.TrimSpace(c))
	}
}

// Spread returns the median, the 99th percentile and the maximum of durations.
// Negative ones count as 0: they come from comparing events of two watches.
func Spread(d []time.Duration) string {
	if len(d) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(d))
	at := func(q float64) time.Duration {
		return max(0, sorted[int(q*float64(len(sorted)-1))]).Round(time.Millisecond)
	}
	return fmt.Sprintf("%s median, %s 99th percentile, %s longest", at(0.5), at(0.99), at(1))
}
