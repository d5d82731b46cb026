package durability_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// requireNoPodRuns requires that every pod that still exists has ended.
func requireNoPodRuns(w *simtest.World) {
	w.Helper()
	for _, pod := range w.Pods() {
		require.Contains(w, []corev1.PodPhase{corev1.PodSucceeded, corev1.PodFailed}, pod.Status.Phase, pod.Name)
	}
}

// TestEndOfTheWaitIsNotTheEndOfTheJob ends a worker in every way but Cancel. The
// Job must not change, and a resume returns its result.
func TestEndOfTheWaitIsNotTheEndOfTheJob(t *testing.T) {
	t.Parallel()
	stopApp := func(budget time.Duration) func(w *simtest.World) error {
		return func(w *simtest.World) error {
			// The application of a worker under fx, stopped as Run stops it on SIGTERM.
			var client *kontinue.Client
			app := fx.New(fx.NopLogger, kontinue.Module, fx.Populate(&client), fx.StopTimeout(budget), fx.Supply(kontinue.Config{
				RESTConfig: w.Cluster.APIServer().Config("app"), Namespace: "ns",
			}))
			require.NoError(w, app.Start(w.Context()))
			ended := make(chan error, 1)
			ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
			require.NoError(w, err)
			go func() {
				_, err := kontinue.RunScript(ktx, simtest.Script("step", "sleep 60"))
				ended <- err
			}()
			w.Sleep(10 * time.Second)
			ctx, cancel := context.WithTimeout(context.Background(), budget)
			defer cancel()
			if err := app.Stop(ctx); budget > 0 {
				require.NoError(w, err)
			}
			// Without time left fx may skip the hooks. A real process would end here.
			require.NoError(w, client.Stop(context.Background()))
			return <-ended
		}
	}
	for name, end := range map[string]func(w *simtest.World) error{
		"canceled context": func(w *simtest.World) error {
			p := w.Worker()
			time.AfterFunc(10*time.Second, func() { p.Cancel(context.Canceled) })
			_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("step", "sleep 60"))
			require.ErrorIs(w, err, context.Canceled)
			return err
		},
		"deadline of the context": func(w *simtest.World) error {
			p := w.Worker()
			ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
			defer cancel()
			ktx, err := p.Client.NewExecutionContext(ctx, w.Execution)
			require.NoError(w, err)
			_, err = kontinue.RunScript(ktx, simtest.Script("step", "sleep 60"))
			require.ErrorIs(w, err, context.DeadlineExceeded)
			return err
		},
		"Stop": func(w *simtest.World) error {
			p := w.Worker()
			time.AfterFunc(10*time.Second, func() { require.NoError(w, p.Client.Stop(context.Background())) })
			_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("step", "sleep 60"))
			require.ErrorIs(w, err, kontinue.ErrNotRunning)
			return err
		},
		"fx with a budget of 30 s": stopApp(30 * time.Second),
		"fx without a budget":      stopApp(0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 2}})
				began := time.Now()
				err := end(w)
				require.ErrorContains(t, err, "still running")
				require.Less(t, time.Since(began), 15*time.Second)
				before := w.Jobs()["step"][0]
				w.Sleep(10 * time.Second)
				job := w.Jobs()["step"][0]
				require.Equal(t, before.ResourceVersion, job.ResourceVersion, "the Job was written to")
				require.Equal(t, int32(1), job.Status.Active)
				require.Equal(t, corev1.PodRunning, w.Pods()[0].Status.Phase)
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "sleep 60"))
				require.NoError(t, err)
				require.True(t, r.Resumed())
				require.Equal(t, int32(2), simtest.ExitCode(r))
				w.RequireRanOnce(map[string]int{"step": 1})
			})
		})
	}
}

// TestTimeoutIsCountedFromTheStart repeatedly kills and resumes the worker until a step
// reaches its timeout, with and without a worker alive at that time.
func TestTimeoutIsCountedFromTheStart(t *testing.T) {
	t.Parallel()
	const timeout = time.Minute
	step := func() *kontinue.ScriptOptions {
		s := simtest.Script("step", "sleep 3600")
		s.Timeout = timeout
		return s
	}
	for name, play := range map[string]containers.Script{
		"running":       {Run: time.Hour},
		"unschedulable": {Unschedulable: time.Hour},
		"ignores TERM":  {Run: time.Hour, IgnoreTERM: true},
	} {
		for _, lives := range []time.Duration{10 * time.Second, 10 * time.Minute} {
			for _, pause := range []time.Duration{0, 10 * time.Minute} {
				t.Run(fmt.Sprintf("%s, a worker lives %s, resumed after %s", name, lives, pause), func(t *testing.T) {
					t.Parallel()
					simtest.Run(t, func(w *simtest.World) {
						w.Cluster.On(containers.Match{}, play)
						began := time.Now()
						var r *kontinue.PodResult
						for range 20 {
							p := w.Worker()
							kill := time.AfterFunc(lives, p.Kill)
							var err error
							if r, err = kontinue.RunScript(p.ExecutionContext(), step()); err == nil {
								kill.Stop()
								break
							}
							require.ErrorIs(t, err, simtest.ErrKilled)
							w.Sleep(pause)
						}
						require.NotNil(t, r)
						require.ErrorIs(t, r.Err(), kontinue.ErrDeadlineExceeded)
						require.NotErrorIs(t, r.Err(), kontinue.ErrCanceled)
						require.Contains(t, r.Message, "DeadlineExceeded: Job was active longer than specified deadline")
						_, err := r.Logs(w.Worker().ExecutionContext(), nil)
						require.ErrorIs(t, err, kontinue.ErrLogsGone)
						if pause == 0 {
							// A container that ignores SIGTERM gets a grace period of 30 s.
							require.InDelta(t, timeout.Seconds()+15, time.Since(began).Seconds(), 20)
						}
						job := w.Jobs()["step"][0]
						ended := job.Status.Conditions[len(job.Status.Conditions)-1].LastTransitionTime
						require.WithinDuration(t, job.Status.StartTime.Add(timeout), ended.Time, 35*time.Second)
						w.Sleep(time.Minute)
						requireNoPodRuns(w)
						require.Len(t, w.Jobs()["step"], 1)
					})
				})
			}
		}
	}
}

// TestCancelStopsTheJobs cancels an Execution whose steps are pending, running
// or have ended. The worker that waits and one that resumes later must get the
// same results, and nothing may run afterwards.
func TestCancelStopsTheJobs(t *testing.T) {
	t.Parallel()
	steps := map[string]containers.Script{
		"pending":  {Unschedulable: time.Hour},
		"pulling":  {PullError: "ErrImagePull"},
		"running":  {Run: time.Hour},
		"stubborn": {Run: time.Hour, IgnoreTERM: true},
		"ended":    {},
	}
	for name, tc := range map[string]struct {
		at      time.Duration
		killed  bool // the waiting worker is killed before the cancellation
		atOther int  // the request at which the canceling worker is killed; 0: none
	}{
		"at once":            {at: 0},
		"while it waits":     {at: 10 * time.Second},
		"no worker waits":    {at: 10 * time.Second, killed: true},
		"killed in between":  {at: 10 * time.Second, atOther: 3},
		"killed at the last": {at: 10 * time.Second, atOther: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				for step, play := range steps {
					w.Cluster.On(containers.Match{Step: step}, play)
				}
				p := w.Worker()
				type ending struct {
					step string
					r    *kontinue.PodResult
					err  error
				}
				run := func(p *simtest.Worker) <-chan ending {
					endings, ktx := make(chan ending, len(steps)), p.ExecutionContext()
					for step := range steps {
						go func() {
							r, err := kontinue.RunScript(ktx, simtest.Script(step, "sleep 3600"))
							endings <- ending{step, r, err}
						}()
					}
					return endings
				}
				endings := run(p)
				w.Sleep(tc.at + time.Millisecond)
				if tc.killed {
					p.Kill()
					for range steps {
						<-endings
					}
				}
				other := w.Worker()
				if tc.atOther > 0 {
					other.KillAt(tc.atOther, false)
					require.Error(t, other.Client.Cancel(other.Ctx, w.Execution))
					other = w.Worker()
				}
				require.NoError(t, other.Client.Cancel(w.Context(), w.Execution))
				if tc.killed {
					w.Sleep(time.Hour)
					endings = run(w.Worker())
				}
				seen := map[string]string{}
				for range steps {
					e := <-endings
					require.NoError(t, e.err, e.step)
					seen[e.step] = facts(e.r)
					if e.r.Succeeded() {
						require.Equal(t, "ended", e.step)
					} else {
						require.ErrorIs(t, e.r.Err(), kontinue.ErrCanceled, e.step)
						require.NotErrorIs(t, e.r.Err(), kontinue.ErrDeadlineExceeded, e.step)
					}
				}
				w.Sleep(time.Hour)
				requireNoPodRuns(w)
				// The Jobs are kept: a resume does not run the steps again.
				again := run(w.Worker())
				for range steps {
					e := <-again
					require.NoError(t, e.err)
					require.Equal(t, seen[e.step], facts(e.r))
				}
				for step := range steps {
					require.Len(t, w.Jobs()[step], 1)
				}
				require.LessOrEqual(t, len(w.Pods()), len(steps))
			})
		})
	}
}
