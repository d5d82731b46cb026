package jobs_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/jobs"
)

// Kinds of failures.
const (
	never = iota
	user
	infra
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// ended returns a run of an attempt that failed in that way, so many seconds after noon.
func ended(number, attempt, kind, seconds int) jobs.Run {
	return jobs.Run{
		Name: fmt.Sprintf("run-%d", number), Number: number, Attempt: attempt, Terminal: true, Failed: true,
		Recorded: true, RecordedAttempt: attempt, Failure: kind, Ended: noon.Add(time.Duration(seconds) * time.Second),
	}
}

func retryAt(now time.Time, limits ...int) *jobs.Retry {
	return &jobs.Retry{Limits: limits, Backoff: 10 * time.Second, Now: func() time.Time { return now }}
}

func TestRetryPlan(t *testing.T) {
	t.Parallel()
	const adopt = -1
	change := func(r jobs.Run, f func(*jobs.Run)) jobs.Run {
		f(&r)
		return r
	}
	unrecorded := func(r jobs.Run) jobs.Run {
		r.Recorded, r.RecordedAttempt, r.Failure, r.Ended = false, 0, 0, time.Time{}
		return r
	}
	terminating := func(r jobs.Run) jobs.Run { r.Deleting = true; return r }
	notTerminal := func(r jobs.Run) jobs.Run { r.Terminal = false; return r }
	canceled := func(r jobs.Run) jobs.Run { r.CancelRequested = true; return r }
	for _, tc := range []struct {
		name    string
		attempt int
		at      int // seconds after noon
		limits  []int
		runs    []jobs.Run
		create  int // number, or adopt
		until   int // seconds after noon, or 0
		await   []int
		count   int
	}{
		{"nothing there", 0, 0, []int{3, 3}, nil, 0, 0, nil, 1},
		{"backs off", 0, 9, []int{3, 3}, []jobs.Run{ended(0, 0, user, 0)}, adopt, 10, nil, 1},
		{"back-off is over", 0, 10, []int{3, 3}, []jobs.Run{ended(0, 0, user, 0)}, 1, 0, nil, 2},
		{"no retry", 0, 99, []int{0, 3}, []jobs.Run{ended(0, 0, user, 0)}, adopt, 0, nil, 1},
		{"not of a kind", 0, 99, []int{3, 3}, []jobs.Run{ended(0, 0, never, 0)}, adopt, 0, nil, 1},
		{"kind of a later version", 0, 99, []int{3, 3}, []jobs.Run{ended(0, 0, 7, 0)}, adopt, 0, nil, 1},
		{"second back-off is longer", 0, 30, []int{3, 3}, []jobs.Run{ended(0, 0, user, 0), ended(1, 0, infra, 20)}, adopt, 40, nil, 2},
		{"and is over", 0, 40, []int{3, 3}, []jobs.Run{ended(0, 0, user, 0), ended(1, 0, infra, 20)}, 2, 0, nil, 3},
		{"limit is used up", 0, 99, []int{1, 3}, []jobs.Run{ended(0, 0, user, 0), ended(1, 0, user, 20)}, adopt, 0, nil, 2},
		{"the other limit is not", 0, 99, []int{1, 3}, []jobs.Run{ended(0, 0, user, 0), ended(1, 0, infra, 20)}, 2, 0, nil, 3},
		{"another run runs", 0, 99, []int{3, 3}, []jobs.Run{ended(0, 0, user, 0), {Number: 1}}, adopt, 0, nil, 2},
		{"not terminal yet", 0, 99, []int{3, 3}, []jobs.Run{notTerminal(ended(0, 0, user, 0))}, 1, 0, []int{0}, 2},
		{"backs off, not terminal yet", 0, 5, []int{3, 3}, []jobs.Run{notTerminal(ended(0, 0, user, 0))}, adopt, 10, nil, 1},
		{"being deleted", 0, 99, []int{3, 3}, []jobs.Run{terminating(ended(0, 0, user, 0))}, 1, 0, []int{0}, 2},
		{"the next is being deleted", 0, 99, []int{3, 3}, []jobs.Run{ended(0, 0, user, 0), terminating(jobs.Run{Number: 1})}, 2, 0, []int{1}, 2},
		{"no record", 0, 99, []int{3, 3}, []jobs.Run{unrecorded(ended(0, 0, user, 0))}, adopt, 0, nil, 1},
		{"an older record is lost", 0, 999, []int{1, 1}, []jobs.Run{unrecorded(ended(0, 0, user, 0)), ended(1, 0, user, 20)}, adopt, 0, nil, 2},
		{"canceled", 0, 99, []int{3, 3}, []jobs.Run{canceled(ended(0, 0, user, 0))}, adopt, 0, nil, 1},
		{"an older one was canceled", 0, 99, []int{3, 3}, []jobs.Run{canceled(ended(0, 0, user, 0)), ended(1, 0, user, 20)}, 2, 0, nil, 3},
		{"of an earlier attempt, runs of it do not count", 1, 999, []int{1, 0}, []jobs.Run{ended(0, 0, user, 0), ended(1, 0, user, 9), ended(2, 1, user, 20)}, 3, 0, nil, 2},
		{"recorded in this attempt", 1, 99, []int{1, 0}, []jobs.Run{change(ended(0, 0, user, 0), func(r *jobs.Run) { r.RecordedAttempt = 1 })}, 1, 0, nil, 2},
		{"of a later attempt", 0, 99, []int{3, 3}, []jobs.Run{ended(0, 1, user, 0)}, adopt, 0, nil, 1},
		{"recorded in a later attempt", 0, 99, []int{3, 3}, []jobs.Run{change(ended(0, 0, user, 0), func(r *jobs.Run) { r.RecordedAttempt = 1 })}, adopt, 0, nil, 1},
		{"created in this attempt, recorded in an earlier one", 1, 99, []int{3, 3}, []jobs.Run{change(ended(0, 1, user, 0), func(r *jobs.Run) { r.RecordedAttempt = 0 })}, 1, 0, nil, 2},
		{"succeeded", 0, 99, []int{3, 3}, []jobs.Run{ended(0, 0, user, 0), {Number: 1, Terminal: true, Recorded: true}}, adopt, 0, nil, 2},
	} {
		for _, reverse := range []bool{false, true} {
			runs := slices.Clone(tc.runs)
			if reverse {
				slices.Reverse(runs)
			}
			d := retryAt(noon.Add(time.Duration(tc.at)*time.Second), tc.limits...).Plan(jobs.RetryFailed, tc.attempt, runs)
			if tc.create == adopt {
				require.NotNil(t, d.Adopt, tc.name)
			} else {
				require.Nil(t, d.Adopt, tc.name)
				require.Equal(t, tc.create, d.Create, tc.name)
			}
			require.Empty(t, d.Delete, tc.name)
			require.Equal(t, tc.await, numbers(d.Await), tc.name)
			require.Equal(t, tc.until == 0, d.Until.IsZero(), tc.name)
			if tc.until != 0 {
				require.Equal(t, noon.Add(time.Duration(tc.until)*time.Second), d.Until, tc.name)
			}
			require.Equal(t, tc.count, d.Runs, tc.name)
		}
	}
}

// TestRetryPlanWithoutRetry: without one the plan is that of the policy.
func TestRetryPlanWithoutRetry(t *testing.T) {
	t.Parallel()
	var none *jobs.Retry
	for _, p := range []jobs.Policy{jobs.None, jobs.RetryFailed, jobs.RetryAll} {
		runs := []jobs.Run{ended(0, 0, user, 0)}
		want, got := p.Plan(0, runs), none.Plan(p, 0, runs)
		require.Equal(t, 1, got.Runs)
		got.Runs = 0
		require.Equal(t, want, got)
	}
}

// TestRetryPlanUnderNone: all attempts have the same runs, and the same limits.
func TestRetryPlanUnderNone(t *testing.T) {
	t.Parallel()
	for attempt := range 3 {
		for _, later := range []bool{false, true} {
			runs := []jobs.Run{ended(0, 0, user, 0), ended(1, 1, user, 99)}
			limit, want := 1, 2
			if later {
				limit, want = 2, 3
			}
			d := retryAt(noon.Add(time.Hour), limit, 0).Plan(jobs.None, attempt, runs)
			require.Equal(t, want, d.Runs)
			require.Equal(t, !later, d.Adopt != nil)
		}
	}
}

// TestRetryPlanOfRandomHistories plays histories of a step: runs that end in random ways and
// at random times, and workers of two attempts that plan at random times. It requires that
//
//   - a new run is created only when all others are terminal, and when the back-off of the last
//     one of its attempt is over;
//   - the runs of an attempt are at most 1 and the limits;
//   - a result that was returned is not followed by another run in its attempt;
//   - in the end a plan adopts for good.
func TestRetryPlanOfRandomHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5000) {
		d := rand.New(rand.NewPCG(seed, 1))
		limits := []int{d.IntN(3), d.IntN(3)}
		policy := jobs.Policy(d.IntN(3))
		now, attempt := noon, 0
		var runs []jobs.Run
		returned := map[int]bool{} // by attempt
		made := map[int]int{}      // runs by attempt
		failures := map[[2]int]int{}
		for range 60 {
			now = now.Add(time.Duration(d.IntN(20)) * time.Second)
			switch d.IntN(4) {
			case 0: // a run ends, and is recorded now or later
				if n := len(runs) - 1; n >= 0 && !runs[n].Terminal {
					runs[n].Terminal = true
					runs[n].Failed = d.IntN(4) > 0
				}
			case 1:
				if n := len(runs) - 1; n >= 0 && runs[n].Terminal && !runs[n].Recorded {
					r := &runs[n]
					r.Recorded, r.RecordedAttempt, r.Ended = true, attempt, now
					if r.Failed {
						r.Failure = d.IntN(3)
						failures[[2]int{attempt, r.Failure}]++
					}
				}
			default:
				if d.IntN(30) == 0 && attempt == 0 {
					attempt = 1
				}
				shuffled := slices.Clone(runs)
				d.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				p := retryAt(now, limits...).Plan(policy, attempt, shuffled)
				name := fmt.Sprintf("seed %d at %s", seed, now.Sub(noon))
				switch {
				case p.Adopt != nil:
					require.Empty(t, p.Await, name)
					if p.Adopt.Recorded && p.Until.IsZero() {
						returned[attempt] = true
					}
					continue
				case len(p.Await)+len(p.Delete) > 0:
					runs = slices.DeleteFunc(runs, func(r jobs.Run) bool { return !r.Terminal && !r.Recorded })
					continue
				}
				require.False(t, returned[attempt] && p.Retry, name)
				require.False(t, policy == jobs.None && (returned[0] || returned[1]), name)
				for _, r := range runs {
					require.True(t, r.Terminal && r.Recorded, name)
				}
				if p.Retry {
					last := runs[len(runs)-1]
					require.GreaterOrEqual(t, now.Sub(last.Ended), 10*time.Second, name)
					counted := failures[[2]int{attempt, last.Failure}]
					if policy == jobs.None {
						counted = failures[[2]int{0, last.Failure}] + failures[[2]int{1, last.Failure}]
					}
					require.LessOrEqual(t, counted, limits[last.Failure-1], name)
				}
				require.Equal(t, len(runs), p.Create, name)
				made[attempt]++
				require.LessOrEqual(t, made[attempt], 1+limits[0]+limits[1], name)
				runs = append(runs, jobs.Run{Number: p.Create, Attempt: attempt})
			}
		}
	}
}
