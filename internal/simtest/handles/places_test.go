package handles_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// flaky returns the options of a step that runs again once after a back-off.
func flaky(name string, backoff time.Duration) *kontinue.ScriptOptions {
	o := simtest.Script(name, "true")
	o.Retry = kontinue.Retry{Limit: 5, Backoff: backoff}
	return o
}

// fails is a run that takes a few seconds.
var fails = containers.Script{Run: 3 * time.Second, Exit: containers.Exit{Code: 1}}

// background starts a step that has to wait for room.
func background(ktx *kontinue.ExecutionContext, name string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := kontinue.StartScript(ktx, simtest.Script(name, "true"))
		ended <- err
	}()
	return ended
}

// TestRoomInABackoff: a step that backs off has no place, also if no other step waited for
// room while its Job was running.
func TestRoomInABackoff(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "a"}, fails)
		client, ktx := limited(w, "one", 1, nil)
		_, err := kontinue.StartScript(ktx, flaky("a", 5*time.Minute))
		require.NoError(t, err)
		w.Sleep(30 * time.Second)
		began := time.Now()
		start(w, ktx, "b")
		require.Less(t, time.Since(began), time.Second)
		require.Zero(t, w.StopClient(client))
	})
}

// TestRoomOfJobsThatAreNotShown: a Job that exists counts before the watch shows it, whatever
// has become of the call that created it.
func TestRoomOfJobsThatAreNotShown(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection reset")
	for name, tc := range map[string]struct {
		fault apiserver.Fault
		leave time.Duration // when the context of the step ends
	}{
		"the answer is lost":               {fault: apiserver.Fault{After: lost}},
		"the context ends":                 {leave: time.Second},
		"during the create":                {fault: apiserver.Fault{Delay: 5 * time.Second}, leave: time.Second},
		"and its answer is not waited for": {fault: apiserver.Fault{ResponseDelay: 5 * time.Second}, leave: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
				client, ktx := limited(w, "one", 1, nil)
				w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: "one", Resource: "jobs"})
				tc.fault.Match, tc.fault.Times = apiserver.Match{User: "one", Verb: "create", Resource: "jobs"}, 1
				w.Cluster.APIServer().AddFault(tc.fault)
				ctx, cancel := context.WithCancel(w.Context())
				defer cancel()
				if tc.leave > 0 {
					time.AfterFunc(tc.leave, cancel)
				}
				s, err := kontinue.StartScript(ktx.WithContext(ctx), simtest.Script("a", "true"))
				if err == nil && tc.leave > 0 {
					<-s.Done()
				}
				b := background(ktx, "b")
				w.Sleep(30 * time.Second)
				require.Equal(t, 1, running(w))
				w.Cluster.APIServer().ResumeWatches(apiserver.WatchMatch{User: "one", Resource: "jobs"})
				w.Sleep(2 * time.Minute)
				require.Equal(t, 1, running(w))
				require.Empty(t, b)
				w.Sleep(time.Hour)
				require.NoError(t, <-b)
				require.Zero(t, w.StopClient(client))
			})
		})
	}
}

// TestRoomOfOneStepTwice: the same step is called by two runs of the function. The end of one
// call does not give away the place of the other.
func TestRoomOfOneStepTwice(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		client, ktx := limited(w, "one", 1, nil)
		again, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(w.Context())
		w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: "one", Resource: "jobs"})
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "one", Verb: "create", Resource: "jobs"}, Times: 1, Delay: 5 * time.Second})
		a := background(ktx, "a")
		synctest.Wait()
		second := background(again.WithContext(ctx), "a")
		w.Sleep(time.Second)
		cancel()
		w.Sleep(time.Second)
		b := background(ktx, "b")
		w.Sleep(time.Minute)
		require.NoError(t, <-a)
		<-second
		require.Equal(t, 1, running(w))
		w.Cluster.APIServer().ResumeWatches(apiserver.WatchMatch{User: "one", Resource: "jobs"})
		w.Sleep(2 * time.Hour)
		require.NoError(t, <-b)
		require.Zero(t, w.StopClient(client))
	})
}

// TestIdentityOfARunThatFollows: the methods of a step may be called while it plans.
func TestIdentityOfARunThatFollows(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "a"}, fails)
		client, ktx := limited(w, "one", 1, nil)
		s, err := kontinue.StartScript(ktx, flaky("a", time.Second))
		require.NoError(t, err)
		looked := make(chan struct{})
		for range 4 {
			go func() {
				for !ended(s) {
					if s.JobName() == "" || s.Progress().Job == "" {
						t.Error("a step that has begun has a Job")
					}
					simtest.Sleep(w.Context(), time.Millisecond)
				}
				looked <- struct{}{}
			}()
		}
		for range 4 {
			<-looked
		}
		require.Zero(t, w.StopClient(client))
	})
}

// TestContextEndsDuringACancel that gets no answer, while the step waits to plan.
func TestContextEndsDuringACancel(t *testing.T) {
	t.Parallel()
	for name, room := range map[string]bool{"in a plan": true, "after a run": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 5 * time.Minute})
				w.Cluster.On(containers.Match{Step: "a"}, fails)
				client, ktx := limited(w, "one", 1, nil)
				ctx, cancel := context.WithCancelCause(w.Context())
				s, err := kontinue.StartScript(ktx.WithContext(ctx), flaky("a", time.Minute))
				require.NoError(t, err)
				if room {
					w.Sleep(30 * time.Second)
					start(w, ktx, "b")
					w.Sleep(time.Minute)
				}
				w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "one", Verb: "patch", Name: s.JobName()}, Times: 1, Delay: apiserver.Forever})
				canceled := make(chan error, 1)
				go func() { canceled <- s.Cancel(w.Context()) }()
				w.Sleep(time.Minute)
				cancel(errShift)
				synctest.Wait()
				require.True(t, ended(s))
				_, err = s.Wait(w.Context())
				require.ErrorIs(t, err, errShift)
				<-canceled
				require.Zero(t, w.StopClient(client))
			})
		})
	}
}

// TestContextEndsBetweenTurns, while the turns of other steps wait for requests without an
// answer.
func TestContextEndsBetweenTurns(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		w.Cluster.On(containers.Match{Step: "a"}, fails)
		first := w.Worker()
		_, err := kontinue.StartScript(first.ExecutionContext(), flaky("a", 5*time.Minute))
		require.NoError(t, err)
		w.Sleep(10 * time.Second)
		first.Kill()

		client, _ := w.NewClient("one", func(c *kontinue.Config) {
			c.OnProgress = func(p kontinue.Progress) {
				if p.Reason == "BackOff" {
					w.Sleep(2 * time.Minute)
				}
			}
		})
		require.NoError(t, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(t, err)
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "one", Verb: "patch"}, Delay: apiserver.Forever})
		for i := range crowd {
			start(w, ktx, fmt.Sprintf("s%d", i))
		}
		ctx, cancel := context.WithCancelCause(w.Context())
		started := make(chan *kontinue.Step[*kontinue.PodResult], 1)
		go func() {
			s, err := kontinue.StartScript(ktx.WithContext(ctx), flaky("a", 5*time.Minute))
			if err != nil {
				t.Error(err)
			}
			started <- s
		}()
		w.Sleep(90 * time.Second)
		cancel(errShift)
		s := <-started
		synctest.Wait()
		require.True(t, ended(s))
	})
}
