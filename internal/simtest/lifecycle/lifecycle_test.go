package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestModuleSaysWhyAlsoWhenFxIsShorter: without the reason fx would only say that
// its own deadline, which is before StartTimeout, was exceeded.
func TestModuleSaysWhyAlsoWhenFxIsShorter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clientset := fake.NewClientset()
		clientset.PrependReactor("list", "jobs", func(ktesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("connection refused")
		})
		app := fx.New(fx.Supply(kontinue.Config{Clientset: clientset, Namespace: "ns"}), kontinue.Module, fx.NopLogger)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		require.ErrorContains(t, app.Start(ctx), "connection refused")
	})
}

// TestStopWithAContextThatHasEnded: SIGTERM usually cancels the context that Stop
// gets, and Stop must still wait for the steps.
func TestStopWithAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		ended := make(chan error, 1)
		ktx := p.ExecutionContext()
		go func() {
			_, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
			ended <- err
		}()
		w.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		began := time.Now()
		require.NoError(w, p.Client.Stop(ctx))
		synctest.Wait()
		require.Zero(w, time.Since(began))
		require.Len(w, ended, 1)
		require.ErrorIs(w, <-ended, kontinue.ErrNotRunning)
	})
}

func TestLogsAfterStop(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := w.Worker()
		ktx := p.ExecutionContext()
		r, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
		require.NoError(w, err)
		require.NoError(w, p.Client.Stop(w.Context()))
		_, err = r.Logs(ktx, nil)
		require.ErrorIs(w, err, kontinue.ErrNotRunning)
		_, err = r.Logs(nil, nil)
		require.ErrorIs(w, err, kontinue.ErrInvalid)
		_, err = r.Logs(&kontinue.ExecutionContext{}, nil)
		require.ErrorIs(w, err, kontinue.ErrInvalid)
	})
}

// TestResultHasTheWholePodUntilItsRecord: the call that saw the pod end returns all of
// it, a resume what the record holds.
func TestResultHasTheWholePodUntilItsRecord(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		first, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		require.NotEmpty(w, first.Pod.Spec.Containers[0].Command)
		again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		require.True(w, again.Succeeded())
		require.Equal(w, first.Pod.UID, again.Pod.UID)
		require.Equal(w, first.Pod.Name, again.Pod.Name)
		require.Equal(w, first.Pod.Spec.Containers[0].Image, again.Pod.Spec.Containers[0].Image)
		require.Equal(w, first.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode, again.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode)
		require.Empty(w, again.Pod.Spec.Containers[0].Command)
	})
}

// TestPlainFakeClientsetTakesCancelAndFinish: both work although its objects have
// no UIDs.
func TestPlainFakeClientsetTakesCancelAndFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clientset := fake.NewClientset()
		client, err := kontinue.New(kontinue.Config{Clientset: clientset, Namespace: "ns"})
		require.NoError(t, err)
		require.NoError(t, client.Start(t.Context()))
		defer func() { require.NoError(t, client.Stop(context.Background())) }()
		execution := kontinue.Execution{
			Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "deploy", UID: "uid-of-deploy"},
			TTL:   &metav1.Duration{Duration: time.Minute},
		}
		ctx, cancel := context.WithCancel(t.Context())
		ktx, err := client.NewExecutionContext(ctx, execution)
		require.NoError(t, err)
		ended := make(chan error)
		go func() {
			_, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
			ended <- err
		}()
		synctest.Wait()
		require.NoError(t, client.Cancel(t.Context(), execution))
		require.NoError(t, client.Finish(t.Context(), execution))
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
		require.Equal(t, int32(60), *list.Items[0].Spec.TTLSecondsAfterFinished)
		require.Equal(t, int64(1), *list.Items[0].Spec.ActiveDeadlineSeconds)
	})
}

// TestOnProgressPanics: a panic in OnProgress is logged, and ends neither the step nor the
// program.
func TestOnProgressPanics(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		var log bytes.Buffer
		client, _ := w.NewClient("worker", func(c *kontinue.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
			c.OnProgress = func(kontinue.Progress) { panic("of the user") }
		})
		require.NoError(w, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(w, err)
		run := func() {
			r, err := kontinue.RunScript(ktx, simtest.Script("a", "true"))
			require.NoError(w, err)
			require.NoError(w, r.Err())
		}
		run() // while it waits
		ktx, err = client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(w, err)
		run() // with the outcome there
		require.Contains(w, log.String(), "of the user")
		require.Zero(w, w.StopClient(client))
		w.RequireRanOnce(map[string]int{"a": 1})
	})
}

// TestResultsAreTheCallersOwn: two calls of one step get the same result, and what one
// caller writes into it reaches neither the other nor the client.
func TestResultsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 3}})
		p := w.Worker()
		var results [2]*kontinue.PodResult
		var errs [2]error
		var calls sync.WaitGroup
		for i := range results {
			ktx := p.ExecutionContext()
			calls.Go(func() {
				results[i], errs[i] = kontinue.RunScript(ktx, simtest.Script("a", "exit 3"))
				if errs[i] == nil {
					scribble(results[i], i)
				}
			})
		}
		calls.Wait()
		require.NoError(w, errors.Join(errs[:]...))
		for i, r := range results {
			require.Equal(w, fmt.Sprint("mine", i), r.Pod.Labels["owner"])
			require.Equal(w, fmt.Sprint("mine", i), r.Pod.Spec.Containers[0].Image)
			var failed *kontinue.ExitError
			require.ErrorAs(w, r.Err(), &failed)
			require.EqualValues(w, 3, failed.ExitCode)
		}
		require.NotSame(w, results[0].Pod, results[1].Pod)
	})
}

func scribble(r *kontinue.PodResult, i int) {
	mine := fmt.Sprint("mine", i)
	r.Pod.Labels["owner"], r.Pod.Spec.Containers[0].Image = mine, mine
	r.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode = int32(100 + i)
	r.Message = mine
}
