package simulate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlans: a plan is a function of its seed, and a thousand of them have every kind of
// event, step, policy and end of a process.
func TestPlans(t *testing.T) {
	t.Parallel()
	seen := map[any]int{}
	for seed := range uint64(1000) {
		p := NewPlan(seed)
		require.Equal(t, p, NewPlan(seed))
		require.Equal(t, p.String(), NewPlan(seed).String())
		seen[p.Theme]++
		for _, e := range p.Events {
			seen[e.Kind]++
			require.LessOrEqual(t, e.At, p.Calm+p.Calm, "seed %d", seed)
		}
		for _, e := range p.Executions {
			seen[e.Policy]++
			for _, s := range e.Steps {
				seen[s.Kind]++
				for name, is := range map[string]bool{"runs again": s.runsAgain(), "replaces": s.Again.ReplaceDisrupted} {
					if is {
						seen[name]++
					}
				}
			}
		}
		for _, w := range p.Processes {
			for name, is := range map[string]bool{
				"crash at a time": w.CrashAt > 0, "crash before a request": w.CrashOn > 0 && w.CrashBefore,
				"crash after a request": w.CrashOn > 0 && !w.CrashBefore, "stop": w.Stop > 0, "foreign": w.Foreign, "detach": w.Detach,
			} {
				if is {
					seen[name]++
				}
			}
		}
	}
	for _, kind := range []EventKind{
		Cut, Stall, Expire, Reorder, Compact, Lag, Align, Refuse, Lost, Late, Slow, Busy, Fail, Truncate, Silence, Expired,
		DeletePod, ForceDeletePod, EvictPod, PressureEvict, KillNode, RemoveNode, DeleteJob, StripJob, StripPod, Label, Queue,
		Deadline, OwnerGoes, Cancel, ForeignConflict,
	} {
		require.Positive(t, seen[kind], kind)
	}
	require.Len(t, seen, 31+6+3+3+6+2, "%v", seen)
}

// TestTotals: events that come after the end of the faults do not count.
func TestTotals(t *testing.T) {
	t.Parallel()
	var totals Totals
	for range 2 {
		totals.Add(&History{
			Plan: &Plan{
				Calm: time.Minute, Executions: []Execution{{Steps: make([]Step, 3)}}, Processes: make([]Process, 2),
				Events: []Event{{Kind: Cut}, {Kind: Late}, {Kind: Late, At: time.Second}, {Kind: Cut, At: time.Minute}},
			},
			calls: make([]*Call, 4),
		})
	}
	require.Equal(t, "2 plans: 6 steps, 4 processes, 8 calls, 0 writes of Jobs and pods; late answers 4; cut the watches 2", totals.String())
}
