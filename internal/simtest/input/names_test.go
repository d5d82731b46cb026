package input_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

func TestStepNamesStandForOneStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := newClient(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner()})
		require.NoError(t, err)
		ended := make(chan error, 2)
		for _, name := range []string{"", "build"} {
			go func() {
				_, err := kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: name}, Spec: podSpec()})
				ended <- err
			}()
		}
		synctest.Wait() // both wait for their Jobs

		_, err = kontinue.RunPod(ktx, &kontinue.PodOptions{Spec: podSpec()})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		require.ErrorContains(t, err, "in flight")
		_, err = kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: "build"}, Spec: podSpec()})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		require.ErrorContains(t, err, "was used already")

		cause := errors.New("the worker shuts down")
		cancel(cause)
		for range 2 {
			err := <-ended
			require.ErrorIs(t, err, cause)
			require.ErrorContains(t, err, "still running")
		}
	})
}

// TestOptionsThatDifferInNothing: an unnamed step is resumed by the same function with a
// default spelled out, or with its variables in another order.
func TestOptionsThatDifferInNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, clientset := newClient(t)
		spec := jobSpec()
		spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}
		run := func(spec batchv1.JobSpec) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner()})
			require.NoError(t, err)
			_, err = kontinue.RunJob(ktx, &kontinue.JobOptions{Spec: spec})
			return err
		}
		for _, change := range []func(*batchv1.JobSpec){
			func(*batchv1.JobSpec) {},
			func(s *batchv1.JobSpec) { s.Suspend = new(false) },
			func(s *batchv1.JobSpec) { s.Template.Spec.RestartPolicy = corev1.RestartPolicyNever },
			func(s *batchv1.JobSpec) { slices.Reverse(s.Template.Spec.Containers[0].Env) },
		} {
			same := *spec.DeepCopy()
			change(&same)
			require.ErrorIs(t, run(same), context.DeadlineExceeded, "the step waits for its Job")
		}
		other := *spec.DeepCopy()
		other.Template.Spec.Containers[0].Env[0].Value = "3"
		require.ErrorIs(t, run(other), kontinue.ErrSpecDrift)
		list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	})
}
