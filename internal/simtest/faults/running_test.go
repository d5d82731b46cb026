package faults_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// startStep starts a client with its own log and a step that runs for that long, and lets
// ten minutes pass. The channel receives the error of the step.
func startStep(w *simtest.World, user string, run time.Duration) (*kontinue.Client, *simtest.Log, <-chan error) {
	w.Helper()
	w.Cluster.On(containers.Match{}, containers.Script{Run: run, Exit: containers.Exit{Code: 3}})
	client, log := w.NewClient(user, nil)
	require.NoError(w, client.Start(w.Context()))
	ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
	require.NoError(w, err)
	ended := make(chan error, 1)
	go func() {
		r, err := kontinue.RunScript(ktx, simtest.Script("a", "exit 3"))
		if err == nil && simtest.ExitCode(r) != 3 {
			err = r.Err()
		}
		ended <- err
	}()
	w.Sleep(10 * time.Minute)
	return client, log, ended
}

// TestTroubleWhileRunning: the log and Healthy must say what is wrong, and
// afterwards the client must recover without a restart and return the right result.
func TestTroubleWhileRunning(t *testing.T) {
	t.Parallel()
	for name, x := range simtest.Troubles {
		if x.Says == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				client, log, ended := startStep(w, "worker", time.Hour)
				require.NoError(w, client.Healthy())
				require.Empty(w, log.Warnings())
				end := x.Begin(w, "worker")
				w.Sleep(3 * time.Minute)
				require.ErrorContains(w, client.Healthy(), x.Says)
				require.Contains(w, log.Warnings(), x.Says)
				w.Sleep(7 * time.Minute)
				require.ErrorContains(w, client.Healthy(), x.Says)
				end()
				w.Sleep(3 * time.Minute)
				require.NoError(w, client.Healthy())
				require.Contains(w, log.String(), "watch is open again")
				require.NoError(w, <-ended)
				w.RequireRanOnce(map[string]int{"a": 1})
				require.Zero(w, w.StopClient(client))
			})
		})
	}
}

// TestJobEndsDuringTrouble: the step returns soon after the trouble. If a wait sees
// the end of the Job but cannot read its pods, it retries that for two minutes.
func TestJobEndsDuringTrouble(t *testing.T) {
	t.Parallel()
	for name, x := range simtest.Troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				client, _, ended := startStep(w, "worker", 20*time.Minute)
				end := x.Begin(w, "worker")
				w.Sleep(11 * time.Minute)
				end()
				over := time.Now()
				require.NoError(w, <-ended)
				require.Less(w, time.Since(over), cmp.Or(x.Heals, 70*time.Second))
				require.Zero(w, w.StopClient(client))
			})
		})
	}
}

// TestTokenExpiresBeforeTheOutcomeIsRecorded: client-go reads a new token within a
// minute, so the step must not fail.
func TestTokenExpiresBeforeTheOutcomeIsRecorded(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		client, _, ended := startStep(w, "worker", 20*time.Minute)
		undo := w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "worker", Verb: "patch"}, Before: simtest.ErrExpired})
		time.AfterFunc(11*time.Minute, undo)
		require.NoError(w, <-ended)
		require.Zero(w, w.StopClient(client))
	})
}

// TestJobGoesInAnOutage: a Job is deleted in an outage, after which no event shows
// the deletion. In one case the watch has never shown the Job either.
func TestJobGoesInAnOutage(t *testing.T) {
	t.Parallel()
	for name, running := range map[string]bool{"before the watch has shown it": false, "while it runs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
				p := w.Worker()
				server := w.Cluster.APIServer()
				outage := func(but string) (end func()) {
					var undo []func()
					for _, verb := range []string{"get", "list", "watch", "patch", "create"} {
						if verb != but {
							undo = append(undo, server.AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: verb}, Before: simtest.ErrRefused}))
						}
					}
					server.CutWatches(apiserver.WatchMatch{User: p.User})
					return func() {
						for _, u := range undo {
							u()
						}
					}
				}
				end := make(chan func(), 1)
				if !running {
					end <- outage("create")
				} else {
					time.AfterFunc(time.Minute, func() { end <- outage("") })
				}
				over := make(chan time.Time, 1)
				time.AfterFunc(2*time.Minute, func() {
					for _, job := range w.Jobs()["a"] {
						require.NoError(w, w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
					}
				})
				time.AfterFunc(5*time.Minute, func() {
					server.CompactHistory() // so that no watch event shows the deletion
					(<-end)()
					over <- time.Now()
				})
				_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
				require.ErrorIs(w, err, kontinue.ErrJobDeleted)
				require.Len(w, over, 1, "an API server that does not answer is no proof")
				require.Less(w, time.Since(<-over), 2*time.Minute)
				require.Empty(w, w.Jobs())
			})
		})
	}
}

// TestQuietHour: an idle client makes no requests, except for a new watch after each one
// that the API server has ended at its timeout.
func TestQuietHour(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		client, log := w.NewClient("worker", nil)
		require.NoError(w, client.Start(w.Context()))
		for range 3600 {
			w.Sleep(time.Second)
			require.NoError(w, client.Healthy())
		}
		stats := w.Cluster.APIServer().Stats()
		require.Equal(w, 2, stats.Count("worker", "list", ""))
		require.Equal(w, stats.Count("worker", "", ""), 12+2+stats.Count("worker", "watch", ""), "the rights, the lists, the watches")
		require.LessOrEqual(w, stats.Count("worker", "watch", ""), 2+2*12, "watches last five minutes at least")
		require.Empty(w, log.Warnings())
		require.Zero(w, w.StopClient(client))
	})
}
