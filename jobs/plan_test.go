package jobs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/jobs"
)

// Typical runs; the names say what happened to them.
var (
	running   = jobs.Run{}
	succeeded = jobs.Run{Terminal: true}
	failed    = jobs.Run{Terminal: true, Failed: true}
	// gaveUp has a failure on record while its Job still runs.
	gaveUp = jobs.Run{Failed: true}
)

// run returns the run with that number, created in the attempt of the same number.
func run(n int, r jobs.Run) jobs.Run {
	r.Number, r.Attempt, r.Name = n, n, fmt.Sprintf("run-%d", n)
	return r
}

func inAttempt(attempt int, r jobs.Run) jobs.Run {
	r.Attempt = attempt
	return r
}

func recorded(attempt int, r jobs.Run) jobs.Run {
	r.Recorded, r.RecordedAttempt = true, attempt
	return r
}

func deleting(r jobs.Run) jobs.Run {
	r.Deleting = true
	return r
}

func numbers(runs []jobs.Run) (all []int) {
	for _, r := range runs {
		all = append(all, r.Number)
	}
	return all
}

func TestPlan(t *testing.T) {
	t.Parallel()
	const create = -1 // wanted: a new run
	type want struct {
		adopt        int // run number, or create
		create       int
		delete, wait []int
	}
	adopt := func(n int) want { return want{adopt: n} }
	makes := func(n int) want { return want{adopt: create, create: n} }
	deletes := func(n int, runs ...int) want { return want{adopt: create, create: n, delete: runs} }
	awaits := func(n int, runs ...int) want { return want{adopt: create, create: n, wait: runs} }
	for _, tc := range []struct {
		name              string
		attempt           int
		runs              []jobs.Run
		none, failed, all want
	}{
		// The number of a new run follows from the runs that exist: while one is deleted
		// or awaited it counts, and the runs are planned again when it is gone.
		{"first attempt, nothing there", 0, nil, makes(0), makes(0), makes(0)},
		{"retry, nothing there", 2, nil, makes(0), makes(0), makes(0)},

		{"resume while it runs", 0, []jobs.Run{run(0, running)}, adopt(0), adopt(0), adopt(0)},
		{"resume after it finished", 0, []jobs.Run{run(0, failed)}, adopt(0), adopt(0), adopt(0)},
		{"resume after it was recorded", 0, []jobs.Run{run(0, recorded(0, failed))}, adopt(0), adopt(0), adopt(0)},
		{"resume after it was recorded, not terminal", 0, []jobs.Run{run(0, recorded(0, gaveUp))}, adopt(0), adopt(0), adopt(0)},
		{"resume, being deleted", 0, []jobs.Run{run(0, deleting(running))}, awaits(1, 0), awaits(1, 0), awaits(1, 0)},
		{"resume, ended and being deleted", 0, []jobs.Run{run(0, deleting(failed))}, adopt(0), adopt(0), adopt(0)},
		{"resume, recorded and being deleted", 0, []jobs.Run{run(0, deleting(recorded(0, gaveUp)))}, adopt(0), adopt(0), adopt(0)},

		{"retry while it runs", 1, []jobs.Run{run(0, running)}, adopt(0), adopt(0), deletes(1, 0)},
		{"retry, succeeded, given to no one", 1, []jobs.Run{run(0, succeeded)}, adopt(0), adopt(0), adopt(0)},
		{"retry, failed, given to no one", 1, []jobs.Run{run(0, failed)}, adopt(0), adopt(0), adopt(0)},
		{"retry, succeeded in attempt 0", 1, []jobs.Run{run(0, recorded(0, succeeded))}, adopt(0), adopt(0), makes(1)},
		{"retry, failed in attempt 0", 1, []jobs.Run{run(0, recorded(0, failed))}, adopt(0), makes(1), makes(1)},
		{"retry, failed in attempt 0, not terminal", 1, []jobs.Run{run(0, recorded(0, gaveUp))}, adopt(0), awaits(1, 0), awaits(1, 0)},
		{"retry, succeeded in attempt 0, not terminal", 1, []jobs.Run{run(0, recorded(0, running))}, adopt(0), adopt(0), awaits(1, 0)},
		{"retry, being deleted", 1, []jobs.Run{run(0, deleting(running))}, awaits(1, 0), awaits(1, 0), awaits(1, 0)},
		{"retry, ended and being deleted", 1, []jobs.Run{run(0, deleting(failed))}, adopt(0), adopt(0), adopt(0)},
		{"retry, failed in attempt 0 and being deleted", 1, []jobs.Run{run(0, deleting(recorded(0, failed)))}, adopt(0), awaits(1, 0), awaits(1, 0)},
		{"retry, succeeded in attempt 0 and being deleted", 1, []jobs.Run{run(0, deleting(recorded(0, succeeded)))}, adopt(0), adopt(0), awaits(1, 0)},

		{"resume of a retry that adopted and recorded", 1, []jobs.Run{run(0, recorded(1, failed))}, adopt(0), adopt(0), adopt(0)},
		{"resume of a retry that recorded, not terminal", 1, []jobs.Run{run(0, recorded(1, gaveUp))}, adopt(0), adopt(0), adopt(0)},
		{"resume of a retry while its run runs", 1, []jobs.Run{run(0, recorded(0, failed)), run(1, running)}, adopt(1), adopt(1), adopt(1)},
		{"resume of a retry, its run failed", 1, []jobs.Run{run(0, recorded(0, failed)), run(1, failed)}, adopt(1), adopt(1), adopt(1)},
		{"resume of a retry, its run recorded", 1, []jobs.Run{run(0, recorded(0, failed)), run(1, recorded(1, failed))}, adopt(1), adopt(1), adopt(1)},
		{"resume of a retry that replaced the run", 1, []jobs.Run{inAttempt(1, run(0, running))}, adopt(0), adopt(0), adopt(0)},

		{"second retry, newest succeeded", 2, []jobs.Run{run(0, recorded(0, failed)), run(1, recorded(1, succeeded))}, adopt(1), adopt(1), makes(2)},
		{"second retry, newest failed", 2, []jobs.Run{run(0, recorded(0, failed)), run(1, recorded(1, failed))}, adopt(1), makes(2), makes(2)},
		{"second retry, newest runs", 2, []jobs.Run{run(0, recorded(0, failed)), run(1, running)}, adopt(1), adopt(1), deletes(2, 1)},
		{"second retry, the first retry never came so far", 2, []jobs.Run{run(0, recorded(0, failed))}, adopt(0), makes(1), makes(1)},
		{"an older run still runs", 2, []jobs.Run{run(0, running), run(1, recorded(1, failed))}, adopt(1), adopt(0), deletes(2, 0)},
		{"an older run ran on and was recorded", 2, []jobs.Run{run(0, recorded(2, failed)), run(1, recorded(1, failed))}, adopt(1), adopt(0), adopt(0)},
		{"an older run was recorded and is not terminal", 2, []jobs.Run{run(0, recorded(0, gaveUp)), run(1, recorded(1, failed))}, adopt(1), awaits(2, 0), awaits(2, 0)},
		{"an older run is being deleted", 2, []jobs.Run{run(0, deleting(running)), run(1, recorded(1, failed))}, adopt(1), awaits(2, 0), awaits(2, 0)},
		{"the newest is being deleted without a result", 2, []jobs.Run{run(0, recorded(0, succeeded)), run(1, deleting(running))}, adopt(0), adopt(0), awaits(2, 1)},
		{"two run", 2, []jobs.Run{run(0, running), run(1, running)}, adopt(1), adopt(1), deletes(2, 1, 0)},
		{
			"one runs, one is deleted, one is recorded and not terminal", 3,
			[]jobs.Run{run(0, running), run(1, deleting(running)), run(2, recorded(2, gaveUp))},
			adopt(2), adopt(0), want{adopt: create, create: 3, delete: []int{0}, wait: []int{2, 1}},
		},

		{"a record of a later attempt", 1, []jobs.Run{run(0, recorded(5, failed))}, adopt(0), adopt(0), adopt(0)},
		{"a run of a later attempt", 1, []jobs.Run{run(3, recorded(0, failed))}, adopt(3), adopt(3), adopt(3)},
		{"runs that a number is missing of", 9, []jobs.Run{run(4, recorded(4, failed)), run(2, recorded(2, failed))}, adopt(4), makes(5), makes(5)},
	} {
		for policy, want := range map[jobs.Policy]want{jobs.None: tc.none, jobs.RetryFailed: tc.failed, jobs.RetryAll: tc.all} {
			name := fmt.Sprintf("%s, policy %d", tc.name, policy)
			for range 2 { // the order does not matter
				before := slices.Clone(tc.runs)
				d := policy.Plan(tc.attempt, tc.runs)
				require.Equal(t, before, tc.runs, "Plan must not change its input")
				if want.adopt == create {
					require.Nil(t, d.Adopt, name)
					require.Equal(t, want.create, d.Create, name)
				} else {
					require.NotNil(t, d.Adopt, name)
					require.Equal(t, want.adopt, d.Adopt.Number, name)
					require.Equal(t, fmt.Sprintf("run-%d", want.adopt), d.Adopt.Name, name)
				}
				require.Equal(t, want.delete, numbers(d.Delete), "deleted: %s", name)
				require.Equal(t, want.wait, numbers(d.Await), "awaited: %s", name)
				slices.Reverse(tc.runs)
			}
		}
	}
}

// TestPlanInvariants goes through every set of up to two runs in every state:
//
//   - A run that is being deleted is adopted if it has a result, and otherwise never.
//   - A plan adopts, or makes room, or creates, and never two of these.
//   - A run that was adopted and whose result was returned is adopted again in the same
//     attempt.
//   - Under None, and in attempt 0, there is a new run only where every other is being
//     deleted without a result.
//   - When a new run is created, every other is terminal and stays: none overlaps with it,
//     and none is being deleted.
//   - Its number is one more than the highest, independently of attempt and policy:
//     workers that see the same runs compete for the same name.
//   - Once it is created, its own attempt and every earlier one adopt it.
//   - Room is made in one round. The plan that follows creates, or adopts a run for which
//     a newer one spoke that is gone now.
func TestPlanInvariants(t *testing.T) {
	t.Parallel()
	for _, policy := range []jobs.Policy{jobs.None, jobs.RetryFailed, jobs.RetryAll} {
		for attempt := range 4 {
			for _, runs := range planSets() {
				c := planCase{policy, attempt, runs}
				d := policy.Plan(attempt, runs)
				if d.Adopt != nil {
					requireAdopts(t, c, d)
					continue
				}
				for _, r := range runs {
					if policy == jobs.None || attempt == 0 {
						require.True(t, r.Deleting && !hasResult(r), "it is run again: %+v", c)
					}
				}
				c.Runs = makeRoom(t, c, d)
				if d = policy.Plan(attempt, c.Runs); d.Adopt != nil {
					require.NotEqual(t, c.Runs, runs, "%+v", c)
					requireAdopts(t, c, d)
					continue
				}
				requireCreates(t, c, d)
			}
		}
	}
}

// planCase is the input of a plan.
type planCase struct {
	Policy  jobs.Policy
	Attempt int
	Runs    []jobs.Run
}

// planSets are no run, each run, and each pair, of every state and of attempts that
// need not fit to the numbers.
func planSets() [][]jobs.Run {
	states := []jobs.Run{
		running, succeeded, failed, recorded(0, succeeded), recorded(0, failed), recorded(1, succeeded), recorded(1, failed),
		recorded(2, failed), recorded(0, running), recorded(0, gaveUp), recorded(2, gaveUp),
		deleting(running), deleting(succeeded), deleting(failed), deleting(recorded(0, failed)), deleting(recorded(1, gaveUp)),
	}
	sets := [][]jobs.Run{nil}
	for _, a := range states {
		for n := range 3 {
			sets = append(sets, []jobs.Run{run(n, a)}, []jobs.Run{inAttempt(2-n, run(n, a))})
			for _, b := range states {
				sets = append(sets, []jobs.Run{run(n, a), run(n+1, b)}, []jobs.Run{inAttempt(0, run(n, a)), inAttempt(1, run(n+2, b))})
			}
		}
	}
	return sets
}

func hasResult(r jobs.Run) bool { return r.Recorded || r.Terminal }

// requireAdopts checks that after the adopted run has ended and its result was returned, a
// resume in the same attempt finds it.
func requireAdopts(t *testing.T, c planCase, d jobs.Decision) {
	t.Helper()
	adopted := *d.Adopt
	require.Contains(t, c.Runs, adopted, "%+v", c)
	require.True(t, hasResult(adopted) || !adopted.Deleting, "it never has a result: %+v", c)
	require.Empty(t, slices.Concat(d.Delete, d.Await), "%+v", c)
	for _, end := range []jobs.Run{succeeded, failed, running, gaveUp} {
		given := slices.Clone(c.Runs)
		r := &given[slices.Index(given, adopted)]
		r.Terminal, r.Failed = end.Terminal || adopted.Terminal, end.Failed
		*r = recorded(max(c.Attempt, adopted.RecordedAttempt), *r)
		again := c.Policy.Plan(c.Attempt, given)
		require.NotNil(t, again.Adopt, "a result that was returned is run again: %+v", c)
		require.Equal(t, adopted.Number, again.Adopt.Number, "%+v", c)
	}
}

// makeRoom carries out a decision, and returns the runs that are left.
func makeRoom(t *testing.T, c planCase, d jobs.Decision) (left []jobs.Run) {
	t.Helper()
	for _, r := range c.Runs {
		unfinished := !hasResult(r) && !r.Deleting
		require.Equal(t, unfinished, slices.Contains(d.Delete, r), "what runs is deleted: %+v", c)
		require.Equal(t, r.Deleting || r.Recorded && !r.Terminal, slices.Contains(d.Await, r), "what ends is awaited: %+v", c)
		if !unfinished && !r.Deleting {
			r.Terminal = true
			left = append(left, r)
		}
	}
	return left
}

func requireCreates(t *testing.T, c planCase, d jobs.Decision) {
	t.Helper()
	require.Empty(t, slices.Concat(d.Delete, d.Await), "%+v", c)
	highest := -1
	for _, r := range c.Runs {
		require.True(t, r.Terminal && !r.Deleting, "it runs beside the new one: %+v", c)
		highest = max(highest, r.Number)
	}
	require.Equal(t, highest+1, d.Create, "%+v", c)
	for _, other := range []jobs.Policy{jobs.RetryFailed, jobs.RetryAll} {
		for contender := range 4 {
			if o := other.Plan(contender, c.Runs); o.Adopt == nil {
				require.Equal(t, d, o, "a contender creates another run: %+v", c)
			}
		}
	}
	created := append(slices.Clone(c.Runs), inAttempt(c.Attempt, run(d.Create, running)))
	for earlier := range c.Attempt + 1 {
		again := c.Policy.Plan(earlier, created)
		require.NotNil(t, again.Adopt, "%+v", c)
		require.Equal(t, d.Create, again.Adopt.Number, "%+v", c)
	}
}
