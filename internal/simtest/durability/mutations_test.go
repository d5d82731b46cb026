package durability_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestMutationsOfThePod: a container that the cluster adds to the pod, and not to the Job.
func TestMutationsOfThePod(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Container: "proxy"}, containers.Script{})
		w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
			if pod, ok := a.Object.(*corev1.Pod); ok && a.Verb == "create" {
				secret := []corev1.EnvVar{{Name: "TOKEN", Value: "s3cr3t"}}
				pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "proxy", Image: "proxy:1", Args: []string{"s3cr3t"}, Env: secret})
				pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: "setup", Image: "proxy:1", Env: secret})
			}
			return nil
		})
		want := []string{
			"pod.spec.initContainers[setup]: set -> unset (added by the cluster)",
			"pod.spec.containers[proxy]: set -> unset (added by the cluster)",
		}
		for range 2 { // the second worker has the record only
			ktx := w.Worker().ExecutionContext()
			pod, err := kontinue.RunScript(ktx, simtest.Script("step", "true"))
			require.NoError(t, err)
			job, err := kontinue.RunJob(ktx, matrixJob(nil))
			require.NoError(t, err)
			for _, got := range [][]string{pod.Mutations(), viaJSON(t, pod).Mutations(), job.Mutations(), viaJSON(t, job).Mutations()} {
				require.Equal(t, want, got)
			}
		}
	})
}

// TestMutationsOfAResume: a worker that resumes a Job from its cache knows what the cluster
// made of the image.
func TestMutationsOfAResume(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
			if job, ok := a.Object.(*batchv1.Job); ok && a.Verb == "create" {
				job.Spec.Template.Spec.Containers[0].Image = "mirror/alpine"
			}
			return nil
		})
		first := w.Worker()
		_, err := kontinue.StartScript(first.ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(t, err)
		first.Kill()
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(t, err)
		require.True(t, r.Resumed())
		require.Empty(t, r.Drift())
		require.Len(t, r.Mutations(), 1)
		require.Contains(t, r.Mutations()[0], "mirror/alpine")
	})
}
