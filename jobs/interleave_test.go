//go:build !race

package jobs_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/jobs"
)

var deviations = flag.Int("deviations", 1, "decisions of a schedule of TestEveryInterleaving that differ from the first choice")

// explorer runs a test once for each schedule in which at most budget decisions differ
// from the first choice.
type explorer struct {
	budget  int
	prefix  []int // the decisions of this run that are given
	taken   []int
	options []int // how many there were for each
}

// explore calls run until no schedule is left, and returns how many there were.
func (x *explorer) explore(run func()) (schedules int) {
	for {
		x.taken, x.options = nil, nil
		run()
		schedules++
		i := len(x.taken) - 1
		for ; i >= 0; i-- {
			if x.taken[i]+1 < x.options[i] && x.spent(i) < x.budget {
				break
			}
		}
		if i < 0 {
			return schedules
		}
		x.prefix = append(slices.Clone(x.taken[:i]), x.taken[i]+1)
	}
}

// spent is how many of the first n decisions were not the first choice.
func (x *explorer) spent(n int) int {
	spent := 0
	for _, taken := range x.taken[:n] {
		if taken > 0 {
			spent++
		}
	}
	return spent
}

// choose decides between n options. Pauses are jittered, so that a run may have fewer of
// them than the one before it had at this place.
func (x *explorer) choose(n int) int {
	i, choice := len(x.taken), 0
	if i < len(x.prefix) {
		choice = min(x.prefix[i], n-1)
	}
	x.taken, x.options = append(x.taken, choice), append(x.options, n)
	return choice
}

// gates hold each create and each list back, on its way there and on its way back, until
// the schedule lets it pass.
type gates struct {
	mu      sync.Mutex
	waiting []*passage
}

type passage struct {
	create, back bool
	pass         chan error
}

func (g *gates) wait(back bool) func(context.Context, string) error {
	return func(ctx context.Context, verb string) error {
		p := &passage{create: verb == "create", back: back, pass: make(chan error, 1)}
		g.mu.Lock()
		g.waiting = append(g.waiting, p)
		g.mu.Unlock()
		select {
		case err := <-p.pass:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *gates) take(i int) *passage {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.waiting[i]
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return p
}

// next lets one thing happen: a request or an answer passes, the answer to a create is
// lost, a second passes, or somebody deletes the Jobs (once).
func (g *gates) next(ctx context.Context, x *explorer, remove func(after time.Duration)) {
	g.mu.Lock()
	var options []func()
	for i := range g.waiting {
		options = append(options, func() { g.take(i).pass <- nil })
	}
	second := func() { _ = pause(ctx, time.Second) }
	options = append(options, second)
	for i, p := range g.waiting {
		if p.create && p.back {
			options = append(options, func() { g.take(i).pass <- errEOF })
		}
	}
	g.mu.Unlock()
	if len(options) > 1 {
		options = append(options, func() { remove(0) }, func() { remove(deletionTime) })
		options[x.choose(len(options))]()
		return
	}
	second()
}

// TestEveryInterleaving: two workers of the same attempt, or of two, call the same step.
// Whatever order their requests and answers have, which answer to a create is lost, and
// when somebody deletes the Job: at no time do two runs exist that have not ended, no
// worker waits for ever, and under None no run is created beside one that exists. With
// -deviations 2 there are ten times as many schedules, of a minute. The schedule lets one
// goroutine run at a time, so that there is nothing for the race detector, which takes six
// times as long: make sweeps runs it without.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	total := 0
	for _, p := range []jobs.Policy{jobs.None, jobs.RetryFailed, jobs.RetryAll} {
		for _, condition := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
			for _, attempts := range [][]int{{0, 0}, {0, 1}, {1, 1}} {
				for _, lag := range []time.Duration{0, time.Hour} {
					x := &explorer{budget: *deviations}
					if lag == 0 && condition == batchv1.JobFailed && p == jobs.RetryFailed && attempts[0] != attempts[1] {
						x.budget++ // where most can go wrong
					}
					total += x.explore(func() {
						synctest.Test(t, func(t *testing.T) {
							interleave(t, x, newContest(condition, lag), p, attempts)
						})
					})
				}
			}
		}
	}
	t.Logf("%d schedules", total)
}

func interleave(t *testing.T, x *explorer, c *contest, p jobs.Policy, attempts []int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	g := &gates{}
	client := jobs.NewClient(&slow{Interface: c, there: g.wait(false), back: g.wait(true)}, jobs.Options{})
	removed := 0
	// Jobs that are deleted by others are gone at once, or when their pods are.
	remove := func(after time.Duration) {
		if removed > 0 {
			return
		}
		for _, job := range c.jobsNow() {
			removed++
			gone := func() { _ = c.Tracker().Delete(jobsResource, "ns", job.Name) }
			if after == 0 {
				gone()
				continue
			}
			_ = c.update(job.Name, beingGone)
			time.AfterFunc(after, gone)
		}
	}
	results, errs := make([]jobs.Run, len(attempts)), make([]error, len(attempts))
	var workers sync.WaitGroup
	var watching sync.WaitGroup
	watching.Go(func() { c.observe(ctx) })
	done := make(chan struct{})
	for i, attempt := range attempts {
		workers.Go(func() { results[i], errs[i] = c.work(ctx, client, attempt, p) })
		synctest.Wait() // it is the first to send a request
	}
	go func() {
		workers.Wait()
		close(done)
	}()
	for running := true; running; {
		synctest.Wait()
		select {
		case <-done:
			running = false
		default:
			g.next(ctx, x, remove)
		}
	}
	stop()
	watching.Wait()
	name := fmt.Sprintf("policy %d, %s, attempts %d, lag %s, schedule %d: created by attempts %d, removed %d",
		p, c.condition, attempts, c.lag, x.taken, c.created, removed)
	require.Empty(t, c.overlap, name)
	for i, err := range errs {
		if p == jobs.RetryAll && attempts[i] == 0 && errors.Is(err, errDeleted) {
			continue // attempt 1 was always faster
		}
		require.NoError(t, err, name)
	}
	switch {
	case p == jobs.None || attempts[0] == attempts[1] || p == jobs.RetryFailed && c.condition == batchv1.JobComplete:
		require.LessOrEqual(t, len(c.created), 1+removed, name)
		if removed == 0 {
			require.Equal(t, results[0].UID, results[1].UID, name)
		}
	case p == jobs.RetryFailed:
		require.LessOrEqual(t, len(c.created), 2+removed, name)
	}
}
