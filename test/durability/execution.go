package durability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

// execution is one Execution with all the workers that run it.
type execution struct {
	number      int
	owner       metav1.OwnerReference
	policy      kontinue.ChildPolicy
	attempts    int
	workers     int // at a time
	undisturbed bool
	rnd         *rand.Rand

	mu   sync.Mutex
	pods map[string][]string // UIDs that were told, by attempt and step
}

// mostLives bounds the lives of a worker in one attempt: the next one is not
// killed. A short-lived worker gets nowhere.
const mostLives = 12

// longest is the most that a worker lives before a random kill.
const longest = 5 * time.Second

// toItsEnd runs all attempts of an Execution and checks what is left of it.
func (r *runner) toItsEnd(ctx context.Context, e *execution) error {
	ctx, cancel := context.WithTimeout(ctx, executionLimit)
	defer cancel()
	e.pods = map[string][]string{}
	for attempt := range e.attempts {
		var wg sync.WaitGroup
		finished := make([]bool, e.workers)
		for i := range e.workers {
			rnd := rand.New(rand.NewPCG(e.rnd.Uint64(), uint64(i)))
			wg.Go(func() { finished[i] = r.lives(ctx, e, attempt, rnd) })
		}
		wg.Wait()
		if slices.Contains(finished, false) {
			break // what was missed is in the report
		}
	}
	r.check(e)
	return nil
}

// lives starts a worker again and again until it has come to its end, and tells
// whether it has.
func (r *runner) lives(ctx context.Context, e *execution, attempt int, rnd *rand.Rand) bool {
	for n := 0; ; n++ {
		p := plan{}
		if !e.undisturbed && n < mostLives && r.mayKill() {
			p = draw(rnd, longest)
		}
		l := live(ctx, r.history, order{
			Kubeconfig: r.kubeconfig, Namespace: namespace,
			Execution: kontinue.Execution{Owner: e.owner, Attempts: attempt, Resumptions: n, ChildPolicy: e.policy},
		}, p)
		r.note(e, l)
		told := r.compare(e, attempt, l)
		switch {
		case l.err != nil:
			r.faultf(&r.report.Lost, "execution %d, attempt %d, life %d, plan %s: %v", e.number, attempt, n, p, l.err)
			return false
		case l.killed, l.termed:
		case told < len(steps):
			r.faultf(&r.report.Lost, "execution %d, attempt %d, life %d: %d of %d results", e.number, attempt, n, told, len(steps))
			return false
		default:
			return true
		}
	}
}

// mayKill tells whether there is a kill left to plan.
func (r *runner) mayKill() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report.Kills < r.Kills
}

// note counts a life.
func (r *runner) note(e *execution, l life) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Lives++
	switch {
	case l.killed:
		r.report.Kills++
		r.report.ByKind[l.plan.kind]++
		if r.report.Kills%25 == 0 {
			fmt.Fprintf(r.Progress, "%d kills, %d executions\n", r.report.Kills, r.executions)
		}
	case l.termed:
		r.report.ByKind[l.plan.kind]++
	case l.err == nil && e.undisturbed:
		r.report.Undisturbed = append(r.report.Undisturbed, l.took)
	}
}

// compare holds what a worker was told against what is expected, and against
// what another life was told, and returns the number of results.
func (r *runner) compare(e *execution, attempt int, l life) (told int) {
	for _, seen := range l.seen {
		s, known := stepNamed(seen.Step)
		if seen.Error != "" && l.termed {
			continue // the wait was ended
		}
		told++
		want := s.expected(e.policy, attempt)
		pods := seen.Pods
		seen.Pods = nil
		switch {
		case !known:
			r.faultf(&r.report.Wrong, "execution %d: a result of step %q", e.number, seen.Step)
		case seen.Error != "":
			r.faultf(&r.report.Lost, "execution %d, attempt %d, step %s: %s", e.number, attempt, seen.Step, seen.Error)
		case !reflect.DeepEqual(want, seen):
			r.faultf(&r.report.Wrong, "execution %d, policy %s, step %s: %+v, want %+v", e.number, e.policy, seen.Step, seen, want)
		case len(pods) != s.pods():
			r.faultf(&r.report.Wrong, "execution %d, step %s: %d pods", e.number, seen.Step, len(pods))
		default:
			e.mu.Lock()
			key := fmt.Sprint(attempt, seen.Step)
			if before, ok := e.pods[key]; ok && !slices.Equal(before, pods) {
				r.faultf(&r.report.Wrong, "execution %d, attempt %d, step %s: pods %v, before %v", e.number, attempt, seen.Step, pods, before)
			}
			e.pods[key] = pods
			e.mu.Unlock()
		}
	}
	return told
}

// check counts the Jobs that an Execution ever had.
func (r *runner) check(e *execution) {
	type runKey struct {
		step string
		run  int
	}
	r.history.settle(e.owner.UID)
	count := map[runKey]int{}
	for _, j := range r.history.of(e.owner.UID) {
		count[runKey{j.step, j.run}]++
		s, _ := stepNamed(j.step)
		r.mu.Lock()
		r.report.Jobs++
		r.report.Pods += len(j.pods)
		r.mu.Unlock()
		if len(j.pods) > s.pods() {
			r.faultf(&r.report.Duplicates, "execution %d: job %s had %d pods, want %d", e.number, j.name, len(j.pods), s.pods())
		}
		if len(j.outcomes) != 1 {
			r.faultf(&r.report.Wrong, "execution %d: job %s had %d outcomes recorded", e.number, j.name, len(j.outcomes))
		}
		if j.deleted {
			r.faultf(&r.report.Lost, "execution %d: job %s was deleted", e.number, j.name)
		}
	}
	for _, s := range steps {
		want := s.runs(e.policy, e.attempts-1)
		for run := range want {
			key := runKey{s.name, run}
			if count[key] == 0 {
				r.faultf(&r.report.Lost, "execution %d: run %d of step %s has no job", e.number, run, s.name)
			}
			if count[key] > 1 {
				r.faultf(&r.report.Duplicates, "execution %d: run %d of step %s had %d jobs", e.number, run, s.name, count[key])
			}
			delete(count, key)
		}
	}
	for key, n := range count {
		r.faultf(&r.report.Duplicates, "execution %d, policy %s: run %d of step %s had %d jobs, want none", e.number, e.policy, key.run, key.step, n)
	}
	r.mu.Lock()
	r.report.Executions++
	r.report.Steps += len(steps) * e.attempts
	r.mu.Unlock()
}

// faultf counts what must not be, and keeps the first cases.
func (r *runner) faultf(counter *int, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*counter++
	if len(r.report.Faults) < 20 {
		r.report.Faults = append(r.report.Faults, fmt.Sprintf(format, args...))
	}
}
