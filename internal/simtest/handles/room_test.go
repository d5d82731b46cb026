package handles_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// limited starts a client with room for so many Jobs.
func limited(w *simtest.World, user string, limit int, o *kontinue.Observer) (*kontinue.Client, *kontinue.ExecutionContext) {
	w.Helper()
	client, _ := w.NewClient(user, func(c *kontinue.Config) { c.MaxRunning, c.Observer = limit, o })
	require.NoError(w, client.Start(w.Context()))
	ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
	require.NoError(w, err)
	return client, ktx
}

// running counts the Jobs that have neither ended nor are suspended.
func running(w *simtest.World) (n int) {
	for _, found := range w.Jobs() {
		for _, job := range found {
			ended := false
			for _, c := range job.Status.Conditions {
				ended = ended || (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
			}
			if !ended && !*job.Spec.Suspend && job.Labels["kontinue.cloud/recorded"] == "" {
				n++
			}
		}
	}
	return n
}

// TestRoom: steps wait for room and are admitted in the order in which they came.
func TestRoom(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		const limit, steps = 3, 10
		var s seen
		observer := s.observer()
		queued := 0
		observer.StepQueued = func(context.Context, kontinue.StepInfo) { queued++ }
		client, ktx := limited(w, "one", limit, observer)
		ended := make(chan error, steps)
		began := time.Now()
		for i := range steps {
			go func() {
				r, err := kontinue.RunScript(ktx, simtest.Script(fmt.Sprintf("s%d", i), "true"))
				if err == nil {
					err = r.Err()
				}
				ended <- err
			}()
			synctest.Wait()
		}
		for n := 0; n < steps; {
			w.Sleep(time.Second)
			require.LessOrEqual(t, running(w), limit)
			for ; len(ended) > 0; n++ {
				require.NoError(t, <-ended)
			}
		}
		took := time.Since(began)
		require.InDelta(t, 4*time.Minute, took, float64(15*time.Second))
		require.Zero(t, w.StopClient(client))
		require.Equal(t, steps-limit, queued)
		var order []string
		for _, what := range s.order {
			var name string
			if _, err := fmt.Sscanf(what, "started %s", &name); err == nil {
				order = append(order, name)
			}
		}
		for batch := range slices.Chunk(order, limit) { // that were admitted together
			slices.Sort(batch)
		}
		require.Equal(t, []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"}, order)
		require.Zero(t, s.ended["s0"][0].Queued)
		require.InDelta(t, 3*time.Minute, s.ended["s9"][0].Queued, float64(15*time.Second))
	})
}

// TestRoomIsCounted from what exists: Jobs of another client count, those that are suspended
// or gone do not, and neither does a create that was refused.
func TestRoomIsCounted(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		other := w.Worker().ExecutionContext()
		start(w, other, "other")
		held, err := kontinue.StartJob(other, &kontinue.JobOptions{
			StepOptions: kontinue.StepOptions{Name: "held"},
			Spec: batchv1.JobSpec{Suspend: new(true), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", Image: "x"}},
			}}},
		})
		require.NoError(t, err)
		w.Sleep(time.Minute)

		_, ktx := limited(w, "one", 2, nil)
		denied := apierrors.NewForbidden(batchv1.Resource("jobs"), "", errors.New("quota"))
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "one", Verb: "create"}, Times: 1, Before: denied})
		_, err = kontinue.StartScript(ktx, simtest.Script("refused", "true"))
		require.Error(t, err)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		a := start(w, ktx, "a")
		// There is no room for another one, whether or not it is started before the watch
		// shows this one.
		waits := func(name string) error {
			ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
			defer cancel()
			_, err := kontinue.StartScript(ktx.WithContext(ctx), simtest.Script(name, "true"))
			return err
		}
		require.ErrorIs(t, waits("b"), context.DeadlineExceeded)
		require.Empty(t, w.Jobs()["b"])
		// A step whose Job exists does not wait.
		start(w, ktx, "other")

		// A Job that is gone makes room.
		began := time.Now()
		time.AfterFunc(10*time.Second, func() {
			_ = w.Admin().BatchV1().Jobs("ns").Delete(context.Background(), a.JobName(), metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
		})
		require.NoError(t, waits("b"))
		require.InDelta(t, 10*time.Second, time.Since(began), float64(time.Second))

		// One that is resumed counts, so that there is none.
		_, err = w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), held.JobName(), "application/merge-patch+json", []byte(`{"spec":{"suspend":false}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		w.Sleep(time.Second)
		require.Equal(t, 3, running(w))
		require.ErrorIs(t, waits("c"), context.DeadlineExceeded)
	})
}

// TestRoomAndStop: a step that waits for room ends with the client.
func TestRoomAndStop(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		client, ktx := limited(w, "one", 1, nil)
		start(w, ktx, "a")
		ended := make(chan error, 1)
		go func() {
			_, err := kontinue.StartScript(ktx, simtest.Script("b", "true"))
			ended <- err
		}()
		w.Sleep(time.Minute)
		require.Zero(t, w.StopClient(client))
		require.ErrorIs(t, <-ended, kontinue.ErrNotRunning)
		require.Len(t, w.Jobs(), 1)
	})
}
