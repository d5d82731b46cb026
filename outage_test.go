package kontinue_test

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
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
	"github.com/kontinue/kontinue/internal/simtest"
)

// blindToPods keeps the events of pods from user, from 10 s on, and lets those of
// Jobs come two minutes late.
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

// TestEndOfThePodIsNotSeen: its end and its deletion fall into a gap of the watch
// of pods. The Job is Complete, which proves exit code 0, and so says the record.
func TestEndOfThePodIsNotSeen(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Minute})
		p := w.Worker()
		blindToPods(w, p.User)
		time.AfterFunc(90*time.Second, func() { // somebody cleans up pods that have ended
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

// TestSuspensionWhilePodsLag: the pod that the suspension removed is no proof that
// the second one, which is not known yet, has ended.
func TestSuspensionWhilePodsLag(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Minute})
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

// TestLabelTakenWhileItRuns: the Job, or its pod, leaves the watch and goes on. So
// does the wait.
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
				w.Cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Minute})
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

// TestOutageBeforeTheWatchHasShownTheJob: an API server that does not answer is no
// reason to give up a Job.
func TestOutageBeforeTheWatchHasShownTheJob(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Hour})
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

// TestTimeoutOfAnotherCall: the deadline of the Job counts, which the call that
// created it has set, and not the Timeout of the one that resumes it.
func TestTimeoutOfAnotherCall(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]time.Duration{"longer": time.Hour, "none": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(kubelet.Match{}, kubelet.Script{Run: 30 * time.Minute})
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

// TestNamespaceGoesWithTheWorkersAccount: the watch shows the Job's deletion, and
// nobody answers the worker any more.
func TestNamespaceGoesWithTheWorkersAccount(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"its rights":  apierrors.NewForbidden(batchv1.Resource("jobs"), "", errors.New("no rule")),
		"its account": apierrors.NewUnauthorized("Unauthorized"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Hour})
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
				require.ErrorIs(w, err, answer)
				require.Less(w, time.Since(began), 3*time.Minute)
			})
		})
	}
}

// TestExpiredTokenWhileAJobGoes: it is renewed, and the question is answered.
func TestExpiredTokenWhileAJobGoes(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Hour})
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
