package history

import (
	"cmp"
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// Run identifies one run of a step.
type Run struct {
	Step string
	Run  int
}

// Expected holds the runs that must have existed, and the number of pods of each.
type Expected map[Run]int

func compare(a, b Job) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Step, b.Step), cmp.Compare(a.Run, b.Run), cmp.Compare(a.UID, b.UID))
}

// Settle waits until the watches have shown every expected run with its pods, its
// terminal condition and its record, since a worker may be ahead of the watches.
// It gives up after 15 seconds: what is missing then was lost.
func (h *History) Settle(ctx context.Context, match func(*Job) bool, expected Expected) {
	h.Await(ctx, match, func(jobs []Job) bool {
		complete := map[Run]bool{}
		for _, j := range jobs {
			run := Run{j.Step, j.Run}
			if len(j.Records) > 0 && !j.Ended.IsZero() && len(j.Pods) >= expected[run] {
				complete[run] = true
			}
		}
		return len(complete) >= len(expected)
	})
}

// awaitLimit is generous: the watches lag milliseconds behind a worker.
const awaitLimit = 15 * time.Second

// Await waits until done reports true of the Jobs that match, and returns them. It
// gives up after 15 seconds.
func (h *History) Await(ctx context.Context, match func(*Job) bool, done func([]Job) bool) (jobs []Job) {
	_ = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, awaitLimit, true, func(context.Context) (bool, error) {
		jobs = h.Jobs(match)
		return done(jobs), nil
	})
	return jobs
}

// Check compares the Jobs of an Execution with the expected runs: exactly one Job
// for each run, with all its pods and one record, and never deleted.
func (e Expected) Check(jobs []Job, addf func(kind report.Kind, format string, args ...any)) {
	count := map[Run]int{}
	for _, j := range jobs {
		run := Run{j.Step, j.Run}
		count[run]++
		want, expected := e[run]
		switch n := len(j.Pods); {
		case !expected: // counted below
		case n > want:
			addf(report.Duplicate, "job %s had %d pods, want %d", j.Name, n, want)
		case n < want:
			addf(report.Wrong, "job %s had %d pods, want %d", j.Name, n, want)
		}
		if n := len(j.Records); n != 1 {
			addf(report.Wrong, "job %s had %d different records", j.Name, n)
		}
		if j.Deleted {
			addf(report.Lost, "job %s was deleted", j.Name)
		}
	}
	for run := range e {
		switch n := count[run]; {
		case n == 0:
			addf(report.Lost, "run %d of step %s has no job", run.Run, run.Step)
		case n > 1:
			addf(report.Duplicate, "run %d of step %s had %d jobs", run.Run, run.Step, n)
		}
		delete(count, run)
	}
	for run, n := range count {
		addf(report.Duplicate, "run %d of step %s had %d jobs, want none", run.Run, run.Step, n)
	}
}
