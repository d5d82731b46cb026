package jobs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/jobs"
)

// Runs as they come in practice; the names say what happened to them.
var (
	running   = jobs.Run{}
	succeeded = jobs.Run{Terminal: true}
	failed    = jobs.Run{Terminal: true, Failed: true}
)

func run(n int, r jobs.Run) jobs.Run {
	r.Run, r.Name = n, fmt.Sprintf("run-%d", n)
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

func TestPlan(t *testing.T) {
	t.Parallel()
	const create = -1 // wanted: a new run
	type want struct {
		adopt  int // run number, or create
		create int
		remove []int
	}
	adopt := func(n int) want { return want{adopt: n} }
	makes := func(n int, remove ...int) want { return want{adopt: create, create: n, remove: remove} }
	for _, tc := range []struct {
		name              string
		attempt           int
		runs              []jobs.Run
		none, failed, all want
	}{
		{"first attempt, nothing there", 0, nil, makes(0), makes(0), makes(0)},
		{"retry, nothing there", 2, nil, makes(0), makes(2), makes(2)},

		{"resume while it runs", 0, []jobs.Run{run(0, running)}, adopt(0), adopt(0), adopt(0)},
		{"resume after it finished", 0, []jobs.Run{run(0, failed)}, adopt(0), adopt(0), adopt(0)},
		{"resume after it was recorded", 0, []jobs.Run{run(0, recorded(0, failed))}, adopt(0), adopt(0), adopt(0)},
		{"resume, being deleted", 0, []jobs.Run{run(0, deleting(running))}, makes(0, 0), makes(0, 0), makes(0, 0)},

		{"retry while it runs", 1, []jobs.Run{run(0, running)}, adopt(0), adopt(0), makes(1, 0)},
		{"retry, succeeded, given to nobody", 1, []jobs.Run{run(0, succeeded)}, adopt(0), adopt(0), adopt(0)},
		{"retry, failed, given to nobody", 1, []jobs.Run{run(0, failed)}, adopt(0), adopt(0), adopt(0)},
		{"retry, succeeded in attempt 0", 1, []jobs.Run{run(0, recorded(0, succeeded))}, adopt(0), adopt(0), makes(1)},
		{"retry, failed in attempt 0", 1, []jobs.Run{run(0, recorded(0, failed))}, adopt(0), makes(1), makes(1)},
		{"retry, being deleted", 1, []jobs.Run{run(0, deleting(running))}, makes(0, 0), makes(1, 0), makes(1, 0)},
		{"retry, ended and being deleted", 1, []jobs.Run{run(0, deleting(failed))}, makes(0), makes(1), makes(1)},

		{"resume of a retry that adopted and recorded", 1, []jobs.Run{run(0, recorded(1, failed))}, adopt(0), adopt(0), adopt(0)},
		{"resume of a retry while its run runs", 1, []jobs.Run{run(0, recorded(0, failed)), run(1, running)}, adopt(1), adopt(1), adopt(1)},
		{"resume of a retry, its run failed", 1, []jobs.Run{run(0, recorded(0, failed)), run(1, failed)}, adopt(1), adopt(1), adopt(1)},
		{"resume of a retry, its run recorded", 1, []jobs.Run{run(0, recorded(0, failed)), run(1, recorded(1, failed))}, adopt(1), adopt(1), adopt(1)},

		{"second retry, newest succeeded", 2, []jobs.Run{run(0, recorded(0, failed)), run(1, recorded(1, succeeded))}, adopt(1), adopt(1), makes(2)},
		{"second retry, newest failed", 2, []jobs.Run{run(0, recorded(0, failed)), run(1, recorded(1, failed))}, adopt(1), makes(2), makes(2)},
		{"second retry, newest runs", 2, []jobs.Run{run(0, recorded(0, failed)), run(1, running)}, adopt(1), adopt(1), makes(2, 1)},
		{"second retry, the first retry never came so far", 2, []jobs.Run{run(0, recorded(0, failed))}, adopt(0), makes(2), makes(2)},
		{"an older run still runs", 2, []jobs.Run{run(0, running), run(1, recorded(1, failed))}, adopt(1), adopt(0), makes(2, 0)},
		{"an older run ran on and was recorded", 2, []jobs.Run{run(0, recorded(2, failed)), run(1, recorded(1, failed))}, adopt(1), adopt(0), adopt(0)},
		{"an older run is being deleted", 2, []jobs.Run{run(0, deleting(running)), run(1, recorded(1, failed))}, adopt(1), makes(2, 0), makes(2, 0)},
		{"two run", 2, []jobs.Run{run(0, running), run(1, running)}, adopt(1), adopt(1), makes(2, 1, 0)},

		{"a record of a later attempt", 1, []jobs.Run{run(0, recorded(5, failed))}, adopt(0), adopt(0), adopt(0)},
		{"a run of a later attempt", 1, []jobs.Run{run(3, recorded(0, failed))}, adopt(3), adopt(3), adopt(3)},
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
					require.Equal(t, want.adopt, d.Adopt.Run, name)
					require.Equal(t, fmt.Sprintf("run-%d", want.adopt), d.Adopt.Name, name)
				}
				var remove []int
				for _, r := range d.Remove {
					remove = append(remove, r.Run)
				}
				require.Equal(t, want.remove, remove, name)
				slices.Reverse(tc.runs)
			}
		}
	}
}

// TestPlanInvariants goes through every set of up to two runs in every state.
func TestPlanInvariants(t *testing.T) {
	t.Parallel()
	states := []jobs.Run{
		running, succeeded, failed, recorded(0, succeeded), recorded(0, failed), recorded(1, succeeded), recorded(1, failed),
		recorded(2, failed), deleting(running), deleting(failed),
	}
	var sets [][]jobs.Run
	sets = append(sets, nil)
	for _, a := range states {
		for n := range 3 {
			sets = append(sets, []jobs.Run{run(n, a)})
			for _, b := range states {
				sets = append(sets, []jobs.Run{run(n, a), run(n+1, b)})
			}
		}
	}
	for _, policy := range []jobs.Policy{jobs.None, jobs.RetryFailed, jobs.RetryAll} {
		for attempt := range 4 {
			for _, runs := range sets {
				name := fmt.Sprintf("policy %d, attempt %d, %+v", policy, attempt, runs)
				d := policy.Plan(attempt, runs)
				if d.Adopt != nil {
					require.False(t, d.Adopt.Deleting, name)
					require.Empty(t, d.Remove, name)
					require.Contains(t, runs, *d.Adopt, name)
					// It ends and is given out: a resume in the same attempt finds it.
					for _, end := range []jobs.Run{succeeded, failed} {
						given := slices.Clone(runs)
						i := slices.Index(given, *d.Adopt)
						given[i] = run(d.Adopt.Run, recorded(max(attempt, d.Adopt.RecordedAttempt), end))
						again := policy.Plan(attempt, given)
						require.NotNil(t, again.Adopt, "what was given is run again: %s", name)
						require.Equal(t, d.Adopt.Run, again.Adopt.Run, name)
					}
					continue
				}
				for _, r := range runs {
					require.False(t, !r.Deleting && r.Run == d.Create, "a run is not made twice: %s", name)
					require.Equal(t, !r.Terminal, slices.Contains(d.Remove, r), "what runs is removed first: %s", name)
					if policy == jobs.None || attempt == 0 {
						require.True(t, r.Deleting, "nothing is run again: %s", name)
					}
				}
				// Once it is created, a resume in the same attempt finds it.
				again := policy.Plan(attempt, append(slices.Clone(runs), run(d.Create, running)))
				if policy != jobs.None {
					require.NotNil(t, again.Adopt, name)
					require.Equal(t, d.Create, again.Adopt.Run, name)
				}
			}
		}
	}
}
