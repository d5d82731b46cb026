package faults_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// blindToPods drops the user's events of pods after 10 s and delays those of Jobs
// by two minutes.
func blindToPods(w *simtest.World, user string) {
	began := time.Now()
	w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
		switch {
		case i.User != user || time.Since(began) < 10*time.Second:
			return true, 0
		case i.Resource == "pods":
			return false, 0
		default:
			return true, 2 * time.Minute
		}
	})
}

// TestEndOfThePodIsNotSeen: the watch of pods misses the end and the deletion of
// the pod. The Job is Complete, which proves that the pod exited with 0, and the
// record must say so.
func TestEndOfThePodIsNotSeen(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		p := w.Worker()
		blindToPods(w, p.User)
		time.AfterFunc(90*time.Second, func() { // as a cleanup of ended pods does
			for _, pod := range w.Pods() {
				_ = w.Cluster.DeletePod(w.Context(), "ns", pod.Name)
			}
		})
		for _, run := range []*simtest.Worker{p, w.Worker()} {
			r, err := kontinue.RunScript(run.ExecutionContext(), simtest.Script("a", "true"))
			require.NoError(w, err)
			require.NoError(w, r.Err())
			require.True(w, r.Succeeded())
			require.Empty(w, r.Message)
		}
		require.Empty(w, w.Pods())
	})
}

// TestSuspensionWhilePodsLag: that the pod deleted by the suspension has ended does
// not prove that the second pod, which the worker has not seen yet, has ended too.
func TestSuspensionWhilePodsLag(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		p := w.Worker()
		began := time.Now()
		w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
			if i.User == p.User && i.Resource == "pods" && time.Since(began) > 40*time.Second {
				return true, 2 * time.Minute
			}
			return true, 0
		})
		suspend := func(on bool) func() {
			return func() {
				for _, job := range w.Jobs()["a"] {
					job.Spec.Suspend = &on
					_, err := w.Admin().BatchV1().Jobs("ns").Update(w.Context(), &job, metav1.UpdateOptions{})
					require.NoError(w, err)
				}
			}
		}
		time.AfterFunc(10*time.Second, suspend(true))
		time.AfterFunc(50*time.Second, suspend(false))
		r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		require.NoError(w, r.Err())
		require.Greater(w, time.Since(began), 100*time.Second, "it was not suspended")
	})
}

// TestLabelTakenWhileItRuns: a Job or pod that loses a label leaves the watch but is
// still running. The wait must return its result.
func TestLabelTakenWhileItRuns(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(w *simtest.World) error{
		"job": func(w *simtest.World) error {
			job := w.Jobs()["a"][0]
			delete(job.Labels, "app.kubernetes.io/managed-by")
			_, err := w.Admin().BatchV1().Jobs("ns").Update(w.Context(), &job, metav1.UpdateOptions{})
			return err
		},
		"pod": func(w *simtest.World) error {
			pod := w.Pods()[0]
			delete(pod.Labels, "kontinue.cloud/worker-group")
			_, err := w.Admin().CoreV1().Pods("ns").Update(w.Context(), &pod, metav1.UpdateOptions{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
				p := w.Worker()
				taken := make(chan error, 1)
				time.AfterFunc(10*time.Second, func() { taken <- take(w) })
				r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
				require.NoError(w, err)
				require.NoError(w, r.Err())
				require.Len(w, taken, 1)
				require.NoError(w, <-taken)
			})
		})
	}
}

// TestOutageBeforeTheWatchHasShownTheJob: while the API server does not respond, the wait
// for a Job must not end.
func TestOutageBeforeTheWatchHasShownTheJob(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		began := time.Now()
		w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
			if i.User == p.User {
				return true, 5*time.Minute - time.Since(began)
			}
			return true, 0
		})
		undo := make(chan func(), 1)
		time.AfterFunc(5*time.Second, func() {
			undo <- w.Cluster.APIServer().AddFault(apiserver.Fault{
				Match: apiserver.Match{User: p.User}, Before: errors.New("connection refused"),
			})
		})
		time.AfterFunc(4*time.Minute, func() { (<-undo)() })
		r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}

// TestTimeoutOfAnotherCall: the Job keeps the deadline of the call that created it,
// and the Timeout of the call that resumes it does not apply.
func TestTimeoutOfAnotherCall(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]time.Duration{"longer": time.Hour, "none": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 30 * time.Minute})
				opts := simtest.Script("a", "true")
				opts.Timeout = first
				p := w.Worker()
				time.AfterFunc(time.Minute, p.Kill)
				_, err := kontinue.RunScript(p.ExecutionContext(), opts)
				require.ErrorIs(w, err, context.Canceled)
				opts.Timeout = 5 * time.Minute
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), opts)
				require.NoError(w, err)
				require.NoError(w, r.Err())
			})
		})
	}
}

// TestNamespaceGoesWithTheWorkersAccount: the watch shows the deletion of the Job,
// and the API server refuses every further request of the worker.
func TestNamespaceGoesWithTheWorkersAccount(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"its rights":  apierrors.NewForbidden(batchv1.Resource("jobs"), "", errors.New("no rule")),
		"its account": apierrors.NewUnauthorized("Unauthorized"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
				p := w.Worker()
				time.AfterFunc(10*time.Second, func() {
					w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User}, Before: answer})
					for _, job := range w.Jobs()["a"] {
						_ = w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
					}
				})
				began := time.Now()
				_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
				require.ErrorIs(w, err, kontinue.ErrJobDeleted)
				require.Equal(w, apierrors.ReasonForError(answer), apierrors.ReasonForError(err))
				require.Less(w, time.Since(began), 3*time.Minute)
			})
		})
	}
}

// TestExpiredTokenWhileAJobGoes: the token is renewed in time, so the wait ends with the
// deletion and not with the 401.
func TestExpiredTokenWhileAJobGoes(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		time.AfterFunc(10*time.Second, func() {
			undo := w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User}, Before: apierrors.NewUnauthorized("Unauthorized")})
			time.AfterFunc(50*time.Second, undo)
			for _, job := range w.Jobs()["a"] {
				_ = w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
			}
		})
		_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
		require.ErrorIs(w, err, kontinue.ErrJobDeleted)
		require.False(w, apierrors.IsUnauthorized(err))
	})
}
