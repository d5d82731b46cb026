package handles_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// seen is what an observer has seen. Its calls do not overlap.
type seen struct {
	began, started map[uint64]kontinue.StepInfo
	ended          map[string][]kontinue.StepEnd // by step
	requests       map[string]int
	order          []string
}

func (s *seen) observer() *kontinue.Observer {
	s.began, s.started = map[uint64]kontinue.StepInfo{}, map[uint64]kontinue.StepInfo{}
	s.ended, s.requests = map[string][]kontinue.StepEnd{}, map[string]int{}
	return &kontinue.Observer{
		StepBegan: func(_ context.Context, i kontinue.StepInfo) {
			s.order = append(s.order, "began "+i.Step)
			s.began[i.ID] = i
		},
		StepStarted: func(_ context.Context, i kontinue.StepInfo) {
			s.order = append(s.order, "started "+i.Step)
			s.started[i.ID] = i
		},
		StepEnded: func(_ context.Context, e kontinue.StepEnd) {
			s.order = append(s.order, "ended "+e.Step)
			s.ended[e.Step] = append(s.ended[e.Step], e)
			delete(s.began, e.ID)
		},
		RequestDone: func(r kontinue.RequestInfo) { s.requests[r.Verb+" "+r.Resource]++ },
	}
}

// observed starts a client with an observer.
func observed(w *simtest.World, user string, o *kontinue.Observer) (*kontinue.Client, *kontinue.ExecutionContext, *simtest.Log) {
	w.Helper()
	client, log := w.NewClient(user, func(c *kontinue.Config) { c.Observer, c.SkipEvents = o, true })
	require.NoError(w, client.Start(w.Context()))
	ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
	require.NoError(w, err)
	return client, ktx, log
}

// TestObserver: each step that began ends once, and the observer knows what its result says.
func TestObserver(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		w.Cluster.On(containers.Match{Step: "fails"}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 3}})
		w.Cluster.On(containers.Match{Step: "long"}, containers.Script{Run: time.Hour})
		w.Execution.Attempts = 2
		var s seen
		client, ktx, _ := observed(w, "one", s.observer())
		_, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "x"})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		good, err := kontinue.RunScript(ktx, simtest.Script("succeeds", "true"))
		require.NoError(t, err)
		bad, err := kontinue.RunScript(ktx, simtest.Script("fails", "true"))
		require.NoError(t, err)
		long := start(w, ktx, "long")
		ctx, cancel := context.WithCancelCause(w.Context())
		left := start(w, ktx.WithContext(ctx), "left")
		cancel(errShift)
		<-left.Done()
		require.Zero(t, w.StopClient(client))

		require.Empty(t, s.began)
		require.ElementsMatch(t, []string{"succeeds", "fails", "long", "left"}, slices.Collect(maps.Keys(s.ended)))
		for name, all := range s.ended {
			require.Len(t, all, 1)
			e := all[0]
			require.Equal(t, w.Execution.Owner.UID, e.Owner.UID)
			require.Equal(t, 2, e.Attempt)
			require.Equal(t, w.Jobs()[name][0].UID, e.JobUID)
			require.Equal(t, e.JobUID, s.started[e.ID].JobUID)
			require.False(t, e.Adopted)
		}
		e := s.ended["succeeds"][0]
		require.Equal(t, kontinue.StepSucceeded, e.State)
		require.NoError(t, e.Err)
		require.Equal(t, good.Pod.UID, e.PodUID)
		require.Equal(t, good.Times, e.Times)
		e = s.ended["fails"][0]
		require.Equal(t, kontinue.StepFailed, e.State)
		require.Equal(t, bad.Err().Error(), e.Err.Error())
		require.Equal(t, []any{kontinue.ClassUser, "script", int32(3), bad.Pod.Name}, []any{e.Class, e.Container, e.ExitCode, e.Pod})
		e = s.ended["left"][0]
		require.Empty(t, e.State)
		require.ErrorIs(t, e.Err, errShift)
		require.ErrorIs(t, s.ended["long"][0].Err, kontinue.ErrNotRunning)
		require.Equal(t, long.JobName(), s.ended["long"][0].Job)
		require.Equal(t, []string{"began succeeds", "started succeeds", "ended succeeds"}, s.order[:3])
		require.Equal(t, map[string]int{"create selfsubjectaccessreviews": 11, "list jobs": 2, "list pods": 1, "watch jobs": 1, "watch pods": 1, "create jobs": 4, "patch jobs": 2}, s.requests)
	})
}

// TestObserverOfTheLastStep: the observer knows the end of a step and its record without a
// later step or request, and before the client stops.
func TestObserverOfTheLastStep(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		var s seen
		client, ktx, _ := observed(w, "one", s.observer())
		_, err := kontinue.RunScript(ktx, simtest.Script("last", "true"))
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, s.ended["last"], 1)
		require.Equal(t, 1, s.requests["patch jobs"])
		require.Zero(t, w.StopClient(client))
	})
}

// TestObserverOfARetry: the runs that a step has created are not adopted.
func TestObserverOfARetry(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 3}})
		var s seen
		client, ktx, _ := observed(w, "", s.observer())
		o := simtest.Script("a", "true")
		o.Retry = kontinue.Retry{Limit: 1}
		r, err := kontinue.RunScript(ktx, o)
		require.NoError(t, err)
		require.Zero(t, w.StopClient(client))
		e := s.ended["a"][0]
		require.Equal(t, 1, e.Run)
		require.False(t, r.Resumed())
		require.False(t, e.Adopted)
	})
}

// TestObserverOfAResume: a run that was there is adopted, and its drift is observed and logged.
func TestObserverOfAResume(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		p := w.Worker()
		start(w, p.ExecutionContext(), "a")
		p.Kill()
		var s seen
		client, ktx, log := observed(w, "two", s.observer())
		o := simtest.Script("a", "another command")
		r, err := kontinue.RunScript(ktx, o)
		require.NoError(t, err)
		require.NotEmpty(t, r.Drift())
		require.Zero(t, w.StopClient(client))
		e := s.ended["a"][0]
		require.True(t, e.Adopted)
		require.Equal(t, r.Drift(), e.Drift)
		require.Contains(t, log.Warnings(), "made from another spec")
		require.NotContains(t, log.Warnings(), "another command")
	})
}

// TestObserverThatPanics, or that does not return, harms no step.
func TestObserverThatPanics(t *testing.T) {
	t.Parallel()
	for name, stuck := range map[string]bool{"panics": false, "does not return": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				block := make(chan struct{})
				client, ktx, log := observed(w, "one", &kontinue.Observer{
					StepBegan: func(context.Context, kontinue.StepInfo) {
						if stuck {
							<-block
						}
						panic("of the observer")
					},
				})
				r, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
				require.NoError(t, err)
				require.NoError(t, r.Err())
				if stuck {
					require.Error(t, client.Stop(context.Background()))
					close(block)
					return
				}
				require.Zero(t, w.StopClient(client))
				require.Contains(t, log.String(), "of the observer")
			})
		})
	}
}

// TestObserverOfADoneStep: a step is done when its end is observed, also if its end takes a
// while, so that a function that is called with it can ask the handle.
func TestObserverOfADoneStep(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour, Log: []containers.LogLine{{Text: "line"}}})
		slow := make(chan struct{})
		defer close(slow)
		var s *kontinue.Step[*kontinue.PodResult]
		done := make(chan bool, 1)
		_, ktx, _ := observed(w, "one", &kontinue.Observer{
			StepEnded: func(context.Context, kontinue.StepEnd) { done <- ended(s) },
		})
		ctx, cancel := context.WithCancelCause(w.Context())
		o := simtest.Script("a", "true")
		o.Logs = stuck{slow} // its end waits a second for the Write
		var err error
		s, err = kontinue.StartScript(ktx.WithContext(ctx), o)
		require.NoError(t, err)
		w.Sleep(time.Minute)
		cancel(errShift)
		require.True(t, <-done)
	})
}
