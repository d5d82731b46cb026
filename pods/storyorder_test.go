//go:build !race

package pods_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/pods"
)

// names are those of the failed pods, in order.
func names(all []pods.Outcome, failures []pods.Failure) []string {
	var out []string
	for _, f := range failures {
		out = append(out, all[f.Pod].Name)
	}
	return out
}

// requireOrder requires that victims come last, that of the failures that count those
// come first which made an index fail, then the latest, and of later ones the earliest.
func (s *story) requireOrder(t *testing.T, all []pods.Outcome, failures []pods.Failure) {
	t.Helper()
	spoilt := map[string]bool{}
	if s.byIndex() {
		for _, i := range s.failed {
			spoilt[s.pods[i].Name] = true
		}
	}
	for i, f := range failures[min(1, len(failures)):] {
		before, o, last := failures[i].Part, all[f.Pod], all[failures[i].Pod]
		ordered := true
		switch {
		case before != f.Part:
			ordered = f.Part.Victim() || !before.Victim()
		case !f.Part.Victim() && spoilt[o.Name] != spoilt[last.Name]:
			ordered = spoilt[last.Name]
		case f.Part == pods.PartCounted:
			ordered = !o.FinishedAt.After(last.FinishedAt)
		case f.Part == pods.PartLater:
			ordered = !o.FinishedAt.Before(last.FinishedAt)
		}
		if !ordered {
			require.Fail(t, "wrong order", "%s: %s after %s", s.reason, o.UID, last.UID)
		}
	}
}

// TestFailuresOfRandomJobs runs Jobs of up to 1,000 pods forward, and requires that what
// is left of each tells which pod is to blame.
func TestFailuresOfRandomJobs(t *testing.T) {
	t.Parallel()
	decided, most := map[string]int{}, 0
	for seed := range uint64(180) {
		s := newStory(seed)
		all := s.run()
		most = max(most, len(all))
		failures := s.end.Failures(all)

		// Each failure is there once, with the part that it had.
		seen, want, got := map[int]bool{}, make([]pods.Part, len(failures)), make([]pods.Part, len(failures))
		for i, f := range failures {
			seen[f.Pod], got[i], want[i] = true, f.Part, s.parts[all[f.Pod].UID]
		}
		require.Equal(t, want, got, "seed %d, %s", seed, s.reason)
		require.Len(t, seen, len(failures), "seed %d", seed)
		for i, o := range all {
			if o.Succeeded() == seen[i] {
				require.Equal(t, !o.Succeeded(), seen[i], "seed %d, pod %s", seed, o.UID)
			}
		}
		s.requireOrder(t, all, failures)
		if s.decided >= 0 {
			require.Equal(t, s.pods[s.decided].Name, all[failures[0].Pod].Name, "seed %d, %s", seed, s.reason)
			decided[s.reason]++
		}

		// The order of the pods makes no difference.
		other := slices.Clone(all)
		s.shuffle(other)
		order := names(all, failures)
		require.Equal(t, order, names(other, s.end.Failures(other)), "seed %d", seed)

		// The record keeps it, however few pods it has room for: nothing else is needed.
		for i, f := range failures {
			all[f.Pod].Rank, all[f.Pod].Part = i+1, f.Part
		}
		text, cut, err := pods.Encode(all, 4096)
		require.NoError(t, err)
		kept, _, err := pods.Decode(text)
		require.NoError(t, err)
		recorded := pods.JobEnd{}.Failures(kept)
		require.True(t, cut || len(recorded) == len(failures), "seed %d", seed)
		require.Equal(t, order[:len(recorded)], names(kept, recorded), "seed %d", seed)
		require.GreaterOrEqual(t, len(recorded), min(len(failures), 5), "seed %d", seed)
		for i, f := range recorded {
			require.Equal(t, got[i], f.Part)
			require.Equal(t, all[failures[i].Pod].OOMKilled(), kept[f.Pod].OOMKilled())
		}
	}
	require.Greater(t, most, 900)
	for _, reason := range []string{"BackoffLimitExceeded", "PodFailurePolicy", "MaxFailedIndexesExceeded", "FailedIndexes"} {
		require.Greater(t, decided[reason], 10, reason)
	}
}
