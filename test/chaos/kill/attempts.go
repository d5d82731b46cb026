package kill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
)

// execution is one Execution with all its workers.
type execution struct {
	number      int
	owner       metav1.OwnerReference
	policy      kontinue.ChildPolicy
	attempts    int
	workers     int  // of an attempt that run at a time
	overlap     bool // an attempt begins while the one before it is running
	undisturbed bool
	rnd         *rand.Rand

	mu      sync.Mutex
	pods    map[string][]string // UIDs in the results of a step, by attempt and step
	running map[int]int         // workers that have not returned, by attempt
	results []Result            // of all attempts, if they overlap
}

const (
	// maxKills bounds the kills of a worker in one attempt, since a worker that always
	// dies early makes no progress. The next process is not killed.
	maxKills = 12
	// maxDelay is the maximum delay of a random kill.
	maxDelay = 5 * time.Second
	// maxHeadStart is the maximum time from the begin of an attempt to that of an
	// overlapping one. A function without a kill takes about as long.
	maxHeadStart = 4 * time.Second
)

// attempts runs all attempts of an Execution, and checks its Jobs.
func (r *runner) attempts(ctx context.Context, e *execution) {
	ctx, cancel := context.WithTimeout(ctx, executionLimit)
	defer cancel()
	var workers sync.WaitGroup
	var failed atomic.Bool
	for attempt := range e.attempts {
		switch {
		case attempt == 0:
		case e.overlap:
			testbed.Pause(ctx, time.Duration(e.rnd.Int64N(int64(maxHeadStart))))
		default:
			workers.Wait()
		}
		if failed.Load() {
			break // attempt has added a finding
		}
		r.begin(e, attempt)
		for i := range e.workers {
			rnd := rand.New(rand.NewPCG(e.rnd.Uint64(), uint64(i)))
			workers.Go(func() {
				defer e.end(attempt)
				if !r.attempt(ctx, e, attempt, rnd) {
					failed.Store(true)
				}
			})
		}
	}
	workers.Wait()
	if e.overlap {
		r.checkOverlap(ctx, e)
		return
	}
	r.check(ctx, e)
}

// attempt restarts a worker until its function has returned, and reports whether it
// has.
func (r *runner) attempt(ctx context.Context, e *execution, attempt int, rnd *rand.Rand) bool {
	for n := 0; ; n++ {
		p := plan{}
		if !e.undisturbed && n < maxKills && r.killsLeft() {
			p = drawPlan(rnd, maxDelay)
		}
		o := r.order(kontinue.Execution{Owner: e.owner, Attempts: attempt, Resumptions: n, ChildPolicy: e.policy})
		o.Again = e.overlap
		process := run(ctx, r.bed.History, o, p)
		r.count(e, process)
		results := r.compare(e, attempt, process)
		switch {
		case process.err != nil:
			r.report.Findings.Addf(report.Lost, "execution %d, attempt %d, process %d, plan %s: %v", e.number, attempt, n, p, process.err)
			return false
		case process.killed, process.terminated:
		case results < len(steps):
			r.report.Findings.Addf(report.Lost, "execution %d, attempt %d, process %d: %d of %d results", e.number, attempt, n, results, len(steps))
			return false
		default:
			return true
		}
	}
}

// killsLeft reports whether there is a kill left to plan.
func (r *runner) killsLeft() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report.Kills < r.Kills
}

// count adds a process to the report.
func (r *runner) count(e *execution, p ended) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Processes++
	switch {
	case p.killed:
		r.report.Kills++
		if e.overlaps() {
			r.report.OverlappingKills++
		}
		r.report.ByPlan[p.plan.name]++
		if r.report.Kills%25 == 0 {
			fmt.Fprintf(r.Progress, "%d kills, %d executions\n", r.report.Kills, r.executions)
		}
	case p.terminated:
		r.report.ByPlan[p.plan.name]++
	case p.err == nil && e.undisturbed:
		r.report.Undisturbed = append(r.report.Undisturbed, p.took)
	}
}

// compare compares the results of a process with the expected ones and with those of
// other processes, and returns their number.
func (r *runner) compare(e *execution, attempt int, p ended) (results int) {
	addf := r.report.Findings.Addf
	for _, got := range p.results {
		if got.Error != "" && p.terminated {
			continue // SIGTERM canceled the wait
		}
		results++
		s, known := stepNamed(got.Step)
		want := s.expected(e.policy, attempt)
		pods := got.Pods
		got.Pods = nil
		switch {
		case !known:
			addf(report.Wrong, "execution %d: a result of step %q", e.number, got.Step)
		case got.Error != "":
			addf(report.Lost, "execution %d, policy %s, attempt %d, step %s: %s", e.number, e.policy, attempt, got.Step, got.Error)
		case e.overlap: // checkOverlap compares it
			e.mu.Lock()
			got.Pods = pods
			e.results = append(e.results, got)
			e.mu.Unlock()
		case !reflect.DeepEqual(want, got):
			addf(report.Wrong, "execution %d, policy %s, step %s: %+v, want %+v", e.number, e.policy, got.Step, got, want)
		case len(pods) != s.pods():
			addf(report.Wrong, "execution %d, step %s: %d pods", e.number, got.Step, len(pods))
		default:
			e.mu.Lock()
			key := fmt.Sprint(attempt, got.Step)
			if before, ok := e.pods[key]; ok && !slices.Equal(before, pods) {
				addf(report.Wrong, "execution %d, attempt %d, step %s: pods %v, before %v", e.number, attempt, got.Step, pods, before)
			}
			e.pods[key] = pods
			e.mu.Unlock()
		}
	}
	return results
}

// check compares all Jobs that an Execution ever had with the expected ones.
func (r *runner) check(ctx context.Context, e *execution) {
	expected := history.Expected{}
	for _, s := range steps {
		for n := range s.runs(e.policy, e.attempts-1) {
			expected[history.Run{Step: s.name, Run: n}] = s.pods()
		}
	}
	own := func(j *history.Job) bool { return j.Execution == e.owner.UID }
	r.bed.History.Settle(ctx, own, expected)
	jobs := r.bed.History.Jobs(own)
	expected.Check(jobs, func(kind report.Kind, format string, args ...any) {
		r.report.Findings.Addf(kind, "execution %d, policy %s: %s", e.number, e.policy, fmt.Sprintf(format, args...))
	})
	r.countJobs(e, jobs)
}

// countJobs adds the Jobs of an Execution that has ended to the report.
func (r *runner) countJobs(e *execution, jobs []history.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Executions++
	r.report.Steps += len(steps) * e.attempts
	r.report.Jobs += len(jobs)
	for _, j := range jobs {
		r.report.Pods += len(j.Pods)
	}
}
