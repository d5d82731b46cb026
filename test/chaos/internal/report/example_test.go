package report_test

import (
	"os"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

func Example() {
	var found report.Findings
	found.Addf(report.Duplicate, "run %d of step %s had %d jobs", 0, "build", 2)

	t := report.NewTable(os.Stdout)
	t.Row("steps", 40)
	t.Counts(&found, report.Lost, report.Duplicate)
	t.Close(&found)
	// Output:
	// steps       40
	// lost        0
	// duplicates  1
	// FINDING: duplicates: run 0 of step build had 2 jobs
}
