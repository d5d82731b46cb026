package follow_test

import (
	"os"
	"time"

	"github.com/kontinue/kontinue/test/chaos/follow"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

func ExampleReport_Print() {
	r := &follow.Report{
		Lines: 1_000_000, Rate: 5000, Cuts: 200, Reopened: 54, Idle: 32 << 20, Peak: 45 << 20, Took: 203 * time.Second,
		Workers:  []follow.Written{{Lines: 250_100}, {Lines: 1_000_000, Doubled: 1, First: "line 7 after line 7"}},
		Findings: &report.Findings{},
	}
	r.Findings.Addf(report.Duplicate, "worker 2: 1 lines, the first one: line 7 after line 7")
	r.Print(os.Stdout)
	// Output:
	// lines of the log                      1000000, 5000 a second
	// streams cut                           200
	// workers killed                        1
	// lines written by worker 1             250100
	// lines written by worker 2             1000000
	// lines lost                            0
	// lines doubled                         1
	// lines wrong                           0
	// logs opened again by the last worker  54
	// peak memory of the last worker        45.0 MiB, 32.0 MiB before the step
	// took                                  3m23s
	// FINDING: duplicates: worker 2: 1 lines, the first one: line 7 after line 7
}
