package handles_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestStats: what the client says of its watches, its cache and its logs is what it has.
func TestStats(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		var none *kontinue.Client
		require.Zero(t, none.Stats())
		client, _ := w.NewClient("one", func(c *kontinue.Config) { c.MaxLogStreams = 2 })
		require.Zero(t, client.Stats())
		require.NoError(t, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(t, err)
		for _, name := range []string{"a", "b", "c"} {
			o := simtest.Script(name, "true")
			o.Logs = new(strings.Builder)
			_, err := kontinue.StartScript(ktx, o)
			require.NoError(t, err)
		}
		w.Sleep(30 * time.Second)
		s := client.Stats()
		require.Equal(t, []int{3, 3, 1, 2}, []int{s.Jobs, s.Pods, s.LogsOpen, s.LogsQueued})
		require.Equal(t, []int{0, 0}, []int{s.RequestsOpen, s.RequestsQueued})
		for _, n := range []int{s.JobBytes, s.PodBytes} {
			require.Greater(t, n, 3*300)
			require.Less(t, n, 3*3000)
		}
		require.Len(t, s.Watches, 2)
		for i, resource := range []string{"jobs", "pods"} {
			watch := s.Watches[i]
			require.Equal(t, kontinue.WatchStats{Resource: resource, Namespace: "ns", Open: true, Opened: 1, Heard: watch.Heard}, watch)
			require.WithinRange(t, watch.Heard, time.Now().Add(-time.Minute), time.Now())
		}
		heard := s.Watches[1].Heard
		w.Cluster.APIServer().CutWatches(apiserver.WatchMatch{User: "one"})
		w.Sleep(time.Minute)
		s = client.Stats()
		require.Equal(t, []int{2, 2}, []int{s.Watches[0].Opened, s.Watches[1].Opened})
		require.True(t, s.Watches[1].Heard.After(heard))
		require.Zero(t, w.StopClient(client))
	})
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestTraceParent: the Job has the trace context of the step that created it, and so have
// those that adopt it, from the watch, from a list and from the name that is taken. It makes
// no difference to the spec.
func TestTraceParent(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		var first, second seen
		o := first.observer()
		o.TraceParent = func(_ context.Context, s kontinue.StepInfo) string {
			require.Empty(t, s.Job)
			switch s.Step {
			case "other":
				return "not of that form"
			case "panics":
				panic("for the test")
			}
			return parent
		}
		client, ktx, _ := observed(w, "one", o)
		for _, name := range []string{"over", "other", "panics"} {
			_, err := kontinue.RunScript(ktx, simtest.Script(name, "true"))
			require.NoError(t, err)
		}
		start(w, ktx, "living")
		require.Zero(t, w.StopClient(client))
		jobs := w.Jobs()
		for step, want := range map[string]string{"over": parent, "living": parent, "other": "", "panics": ""} {
			require.Equal(t, want, jobs[step][0].Annotations["kontinue.cloud/traceparent"], step)
			require.NotContains(t, jobs[step][0].Spec.Template.Annotations, "kontinue.cloud/traceparent")
		}

		for _, resumed := range []int{0, 1} {
			w.Execution.Resumptions = resumed
			o := second.observer()
			o.TraceParent = func(context.Context, kontinue.StepInfo) string { return strings.Replace(parent, "a", "b", 1) }
			client, ktx, _ := observed(w, "two", o)
			over, err := kontinue.RunScript(ktx, simtest.Script("over", "true"))
			require.NoError(t, err)
			require.Empty(t, over.Drift())
			living := start(w, ktx, "living")
			require.Zero(t, w.StopClient(client))
			require.True(t, ended(living))
			for _, e := range []kontinue.StepEnd{second.ended["over"][0], second.ended["living"][0]} {
				require.True(t, e.Adopted)
				require.Equal(t, parent, e.TraceParent)
				require.Zero(t, e.Woken)
			}
		}
		require.Equal(t, jobs["living"][0].Annotations, w.Jobs()["living"][0].Annotations)
	})
}

// TestWoken: the end of a step is later than that of its container, by the time that the
// watch and the record take.
func TestWoken(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		var s seen
		client, ktx, _ := observed(w, "one", s.observer())
		_, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
		require.NoError(t, err)
		require.Zero(t, w.StopClient(client))
		e := s.ended["a"][0]
		require.WithinRange(t, e.Woken, e.Times.Seen, e.At)
		require.Less(t, e.Woken.Sub(e.Times.Ended), 3*time.Second)
	})
}
