package retries_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestCancelInTheBackoff cancels a step that backs off in each way. It ends at once with the
// result of the run that has failed, and no worker creates another run.
func TestCancelInTheBackoff(t *testing.T) {
	t.Parallel()
	for name, cancel := range map[string]func(w *simtest.World, worker *simtest.Worker, s *kontinue.Step[*kontinue.PodResult]) error{
		"Step.Cancel": func(w *simtest.World, _ *simtest.Worker, s *kontinue.Step[*kontinue.PodResult]) error {
			return s.Cancel(w.Context())
		},
		"Client.Cancel": func(w *simtest.World, worker *simtest.Worker, _ *kontinue.Step[*kontinue.PodResult]) error {
			return worker.Client.Cancel(w.Context(), w.Execution)
		},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed=%t", name, killed), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					p := newPlay(w, 3, 0)
					worker := w.Worker()
					s := inBackoff(w, worker, nil)
					began := time.Now()
					require.NoError(t, cancel(w, worker, s))
					if killed {
						worker.Kill()
					}
					r, err := s.Wait(w.Context())
					if !killed {
						require.NoError(t, err)
						require.Equal(t, int32(3), simtest.ExitCode(r))
						require.Less(t, time.Since(began), 2*time.Second)
					}
					w.Sleep(time.Hour)
					r, err = run(w.Worker(), kontinue.Retry{Limit: 5, Backoff: time.Minute})
					require.NoError(t, err)
					require.Equal(t, int32(3), simtest.ExitCode(r))
					p.requireRuns(w, 1)
				})
			})
		}
	}
}

// TestCancelByAnotherProcess cancels the Execution from a process that does not run its steps.
func TestCancelByAnotherProcess(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		s := inBackoff(w, w.Worker(), nil)
		require.NoError(t, w.Worker().Client.Cancel(w.Context(), w.Execution))
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.Equal(t, int32(3), simtest.ExitCode(r))
		require.Equal(t, 1, r.Runs())
		p.requireRuns(w, 1)
	})
}

// TestCancelOfARun cancels a step while a run runs: it does not run again.
func TestCancelOfARun(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		worker := w.Worker()
		o := options(kontinue.Retry{Limit: 5, Infrastructure: 5, Classes: []kontinue.Class{kontinue.ClassUser, kontinue.ClassTimeout}})
		s, err := kontinue.StartScript(worker.ExecutionContext(), o)
		require.NoError(t, err)
		w.Sleep(2 * time.Second)
		require.NoError(t, s.Cancel(w.Context()))
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.ErrorIs(t, r.Err(), kontinue.ErrCanceled)
		w.Sleep(time.Hour)
		p.requireRuns(w, 1)
	})
}

// TestCancelWhileARunIsPlanned cancels at each request around the create of a run: when Cancel
// has returned, nothing more starts.
func TestCancelWhileARunIsPlanned(t *testing.T) {
	t.Parallel()
	for at := 60 * time.Second; at < 70*time.Second; at += 500 * time.Millisecond {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				p := newPlay(w, 3)
				worker := w.Worker()
				w.Cluster.APIServer().AddFault(slow(worker.User, "list"))
				w.Cluster.APIServer().AddFault(slow(worker.User, "create"))
				s, err := kontinue.StartScript(worker.ExecutionContext(), options(kontinue.Retry{Limit: 1, Backoff: time.Minute}))
				require.NoError(t, err)
				w.Sleep(at)
				require.NoError(t, s.Cancel(w.Context()))
				runs := p.count()
				_, err = s.Wait(w.Context())
				require.NoError(t, err)
				require.LessOrEqual(t, p.count(), max(runs, len(byNumber(w))))
				w.Sleep(time.Minute)
				for _, job := range byNumber(w) {
					require.NotEmpty(t, job.Status.Conditions, job.Name)
				}
				require.Equal(t, "true", byNumber(w)[len(byNumber(w))-1].Annotations["kontinue.cloud/canceled"])
			})
		})
	}
}

// TestSlowCancel has a Cancel under way while a run is due: none is created meanwhile.
func TestSlowCancel(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		worker := w.Worker()
		s := inBackoff(w, worker, nil) // for 20 of about 63 seconds
		w.Sleep(40 * time.Second)
		fault := slow(worker.User, "patch")
		fault.Delay = 10 * time.Second
		w.Cluster.APIServer().AddFault(fault)
		require.NoError(t, s.Cancel(w.Context()))
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.Equal(t, int32(3), simtest.ExitCode(r))
		p.requireRuns(w, 1)
	})
}

// TestCancelThatFails has a Cancel that does not reach the API server: the step continues.
func TestCancelThatFails(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		worker := w.Worker()
		s := inBackoff(w, worker, nil)
		undo := w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: worker.User, Verb: "patch"}, Before: simtest.ErrForbidden})
		require.Error(t, s.Cancel(w.Context()))
		undo()
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		p.requireRuns(w, 2)
		require.Equal(t, time.Minute, created(w)[1].Sub(p.ended[0]))
	})
}

// TestCanceledSinceTheList cancels a step whose failed run a worker knows from the list that
// another step of its function has read before.
func TestCanceledSinceTheList(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := newPlay(w, 3, 0)
		worker := w.Worker()
		s := inBackoff(w, worker, nil)
		worker.Kill()
		_, err := s.Wait(w.Context())
		require.ErrorIs(t, err, simtest.ErrKilled)
		second := w.Worker()
		ktx := second.ExecutionContext()
		_, err = kontinue.RunScript(ktx, simtest.Script("other", "true"))
		require.NoError(t, err)
		w.Sleep(time.Hour)
		require.NoError(t, w.Worker().Client.Cancel(w.Context(), w.Execution))
		r, err := kontinue.RunScript(ktx, options(kontinue.Retry{Limit: 5, Backoff: time.Minute}))
		require.NoError(t, err)
		require.Equal(t, int32(3), simtest.ExitCode(r))
		p.requireRuns(w, 1)
	})
}
