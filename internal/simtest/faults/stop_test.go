package faults_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// call is a call that is in progress when the client is stopped.
type call struct {
	faults []apiserver.Fault
	// run is how long the step's pod runs; Stop is called at 50 s.
	run  time.Duration
	call func(*kontinue.Client, *kontinue.ExecutionContext, kontinue.Execution) error
}

func runA(_ *kontinue.Client, ktx *kontinue.ExecutionContext, _ kontinue.Execution) error {
	_, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
	return err
}

var calls = map[string]call{
	"a wait": {run: time.Hour, call: runA},
	"a create without an answer": {call: runA, faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "create"}, Delay: time.Hour}}},
	"a create that is tried again": {call: runA, faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "create"}, Before: simtest.ErrRefused}}},
	"a record without an answer": {call: runA, run: time.Second, faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "patch"}, Delay: time.Hour}}},
	"a record that is tried again": {call: runA, run: time.Second, faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "patch"}, Before: simtest.ErrRefused}}},
	"a Finish": {faults: []apiserver.Fault{{Match: apiserver.Match{Verb: "list"}, Delay: time.Hour}},
		call: func(c *kontinue.Client, _ *kontinue.ExecutionContext, e kontinue.Execution) error {
			e.TTL = &metav1.Duration{Duration: time.Minute}
			return c.Finish(context.Background(), e)
		}},
	"a Cancel": {faults: []apiserver.Fault{{Match: apiserver.Match{Verb: "list"}, Before: simtest.ErrRefused}},
		call: func(c *kontinue.Client, _ *kontinue.ExecutionContext, e kontinue.Execution) error {
			return c.Cancel(context.Background(), e)
		}},
}

// TestStopInEveryState: in each trouble and during each call, Stop must take no
// time, end the call and leave no watch open.
func TestStopInEveryState(t *testing.T) {
	t.Parallel()
	for trouble, x := range simtest.Troubles {
		for name, c := range calls {
			t.Run(trouble+", "+name, func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					w.Cluster.On(containers.Match{}, containers.Script{Run: c.run})
					client, _ := w.NewClient("worker", nil)
					require.NoError(w, client.Start(w.Context()))
					ktx, err := client.NewExecutionContext(context.Background(), w.Execution)
					require.NoError(w, err)
					for _, f := range c.faults {
						f.User = "worker"
						w.Cluster.APIServer().AddFault(f)
					}
					ended := make(chan error, 1)
					go func() { ended <- c.call(client, ktx, w.Execution) }()
					w.Sleep(20 * time.Second)
					require.Empty(w, ended)
					x.Begin(w, "worker")
					w.Sleep(30 * time.Second)
					require.Empty(w, ended, "it is still under way")
					require.Zero(w, w.StopClient(client))
					require.ErrorIs(w, <-ended, kontinue.ErrNotRunning)
					synctest.Wait()
					require.Zero(w, w.Cluster.APIServer().Stats().Active("worker", ""), "open watches")
					require.Zero(w, w.StopClient(client), "again")
					require.ErrorIs(w, client.Start(w.Context()), kontinue.ErrNotRunning)
				})
			})
		}
	}
}

// TestStopBeforeStart: a client that was stopped before Start does not start.
func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		client, _ := w.NewClient("worker", nil)
		require.Zero(w, w.StopClient(client))
		require.ErrorIs(w, client.Start(w.Context()), kontinue.ErrNotRunning)
	})
}

// TestStopIsBounded: a callback that does not return delays Stop by StopTimeout and
// no longer.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]time.Duration{"default": 10 * time.Second, "configured": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				release := make(chan struct{})
				client, _ := w.NewClient("worker", func(c *kontinue.Config) {
					c.OnProgress = func(kontinue.Progress) { <-release }
					if name == "configured" {
						c.StopTimeout = want
					}
				})
				require.NoError(w, client.Start(w.Context()))
				ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
				require.NoError(w, err)
				ended := make(chan error, 1)
				go func() { ended <- runA(client, ktx, w.Execution) }()
				w.Sleep(time.Minute)
				began := time.Now()
				err = client.Stop(context.Background())
				require.ErrorIs(w, err, context.DeadlineExceeded)
				require.ErrorContains(w, err, "steps have not returned yet")
				require.Equal(w, want, time.Since(began))
				close(release)
				require.ErrorIs(w, <-ended, kontinue.ErrNotRunning)
				require.Zero(w, w.StopClient(client))
			})
		})
	}
}
