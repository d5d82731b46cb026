package endings_test

import (
	"os"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/endings"
)

// TestOrder compares each history on the cluster in memory, with the delays of a real
// one, with the record.
func TestOrder(t *testing.T) {
	t.Parallel()
	want, err := endings.Read(endings.Memory)
	require.NoError(t, err)
	var mu sync.Mutex
	have := map[string]endings.History{}
	for _, c := range endings.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := record(t, c, fakecluster.RealDelays())
				mu.Lock()
				defer mu.Unlock()
				have[c.Name] = h
				switch {
				case os.Getenv(endings.UpdateEnv) != "":
				case c.Race != "":
					require.NoError(t, c.Compare(want[c.Name], h))
				default:
					require.Equal(t, endings.Format(want[c.Name]), endings.Format(h))
				}
			})
		})
	}
	t.Cleanup(func() {
		if os.Getenv(endings.UpdateEnv) != "" && !t.Failed() {
			require.NoError(t, endings.Write(endings.Memory, have))
		}
	})
}

// TestSameOrder compares the records of the cluster in memory and of a real one.
func TestSameOrder(t *testing.T) {
	t.Parallel()
	memory, err := endings.Read(endings.Memory)
	require.NoError(t, err)
	actual, err := endings.Read(endings.Real)
	require.NoError(t, err)
	for _, c := range endings.All() {
		require.NotEmpty(t, actual[c.Name], c.Name)
		require.NoError(t, c.Compare(actual[c.Name], memory[c.Name]))
	}
	first, second := endings.All()[0], endings.All()[1]
	require.Error(t, first.Compare(memory[first.Name], memory[second.Name]))
}

func TestCovers(t *testing.T) {
	t.Parallel()
	history := func(states string) (h endings.History) {
		for _, state := range states { // one letter each
			h = append(h, endings.State{Line: "pod " + string(state)}, endings.State{Line: "job " + string(state)})
		}
		return h
	}
	c := endings.All()[0]
	for _, states := range []string{"abcdbe", "ae", "abe", "abbe", "acbe"} {
		require.NoError(t, c.Covers(history("abcdbe"), history(states)), states)
	}
	for _, states := range []string{"", "abcdb", "bcdbe", "acce", "adce", "axe", "abbbe"} {
		require.Error(t, c.Covers(history("abcdbe"), history(states)), states)
	}
}

// TestOrderWithoutDelays requires that no state between the end of the containers and
// that of the Job is seen without delays.
func TestOrderWithoutDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := record(t, endings.All()[0], fakecluster.Delays{})
		require.Equal(t, `0.00s pod Running main=running tracked
0.00s job active=1 ready=1
5.00s pod Succeeded main=0 not ready: PodCompleted tracked
5.00s job uncounted-succeeded=1 SuccessCriteriaMet/CompletionsReached
5.00s pod Succeeded main=0 not ready: PodCompleted
5.00s job succeeded=1 SuccessCriteriaMet/CompletionsReached Complete/CompletionsReached
`, endings.Format(h))
	})
}

func record(t *testing.T, c endings.Case, delays fakecluster.Delays) endings.History {
	t.Helper()
	cluster := fakecluster.New(fakecluster.Options{Delays: delays})
	for name, script := range c.Scripts {
		cluster.On(containers.Match{Container: name}, script)
	}
	require.NoError(t, cluster.Start(t.Context()))
	t.Cleanup(cluster.Stop)
	h, err := endings.Record(t.Context(), cluster.Clientset(), "default", "memory.test/shell:1", c)
	require.NoError(t, err)
	return h
}
