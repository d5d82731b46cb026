package devcluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

// TestCheckPlays runs a step "s" whose pod has a container and a sidecar.
func TestCheckPlays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		plays []*devcluster.Play
		code  int32  // of the container
		says  string // "" if all plays were followed
	}{
		"followed":       {[]*devcluster.Play{devcluster.Job("s").Exit(3)}, 3, ""},
		"every step":     {[]*devcluster.Play{devcluster.Job("").Exit(3)}, 3, ""},
		"a container":    {[]*devcluster.Play{devcluster.Job("s").Container("main").Exit(3)}, 3, ""},
		"image pull":     {[]*devcluster.Play{devcluster.Job("s").PullError("ErrImagePull", "429", 20*time.Second)}, 0, ""},
		"start error":    {[]*devcluster.Play{devcluster.Job("s").StartError("no such file")}, 128, ""},
		"pending":        {[]*devcluster.Play{devcluster.Job("s").Pending(time.Minute)}, 0, ""},
		"both":           {[]*devcluster.Play{devcluster.Job("s").Exit(3), devcluster.Job("s").Container("proxy").Hang()}, 3, ""},
		"another step":   {[]*devcluster.Play{devcluster.Job("S").Exit(3)}, 0, `no container has followed the play Job("S"); these ran: "main" of step "s", "proxy" of step "s". Correct the name`},
		"other":          {[]*devcluster.Play{devcluster.Job("s").Container("mian").Exit(3)}, 0, `the play Job("s").Container("mian");`},
		"one of two":     {[]*devcluster.Play{devcluster.Job("s").Exit(3).Container("mian").Exit(4)}, 3, `the play Job("s").Container("mian");`},
		"later attempt":  {[]*devcluster.Play{devcluster.Job("s").Attempt(1).Exit(3)}, 0, `the play Job("s").Attempt(1);`},
		"later retry":    {[]*devcluster.Play{devcluster.Job("s").Attempt(0).Retry(1).Exit(3)}, 0, `the play Job("s").Attempt(0).Retry(1);`},
		"allowed":        {[]*devcluster.Play{devcluster.Job("other").Exit(3).Optional(), devcluster.Job("s").Exit(4)}, 4, ""},
		"replaced":       {[]*devcluster.Play{devcluster.Job("s").Exit(3), devcluster.Job("").Exit(4)}, 4, `Job("s") (a play that was added later took its containers)`},
		"several unused": {[]*devcluster.Play{devcluster.Job("a"), devcluster.Job("b")}, 0, `the play Job("a"), Job("b");`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cluster := startWith(t, devcluster.Options{Containers: devcluster.Scripts})
				require.NoError(t, cluster.Play(tc.plays...))
				result, err := kontinue.RunPod(run(t, cluster), &kontinue.PodOptions{
					StepOptions: kontinue.StepOptions{Name: "s"},
					Spec: corev1.PodSpec{
						InitContainers: []corev1.Container{{Name: "proxy", Image: "proxy:1", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
						Containers:     []corev1.Container{{Name: "main", Image: "alpine:3"}},
					},
				})
				require.NoError(t, err)
				require.Equal(t, tc.code, result.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode)
				if tc.says == "" {
					require.NoError(t, cluster.CheckPlays())
				} else {
					require.ErrorContains(t, cluster.CheckPlays(), tc.says)
				}
			})
		})
	}
}

// TestPlayOfAContainerThatWasNotReached: the init container before it has failed.
func TestPlayOfAContainerThatWasNotReached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := startWith(t, devcluster.Options{Containers: devcluster.Scripts})
		require.ErrorContains(t, cluster.Play(devcluster.Job("s").Attempt(-1)), `Job("s").Attempt(-1): the first attempt is 0`)
		require.ErrorContains(t, cluster.Play(devcluster.Job("s"), devcluster.Job("s").Retry(-1)), "the first Job of a step is 0")
		require.ErrorContains(t, cluster.Play(nil), "was not made by Job")
		require.NoError(t, cluster.CheckPlays(), "an invalid play adds none")
		require.NoError(t, cluster.Play(devcluster.Job("s").Exit(3).Container("init").Exit(4)))
		require.ErrorContains(t, cluster.CheckPlays(), "no container ran")
		result, err := kontinue.RunPod(run(t, cluster), &kontinue.PodOptions{
			StepOptions: kontinue.StepOptions{Name: "s"},
			Spec: corev1.PodSpec{
				InitContainers: []corev1.Container{{Name: "init", Image: "alpine:3"}},
				Containers:     []corev1.Container{{Name: "main", Image: "alpine:3"}},
			},
		})
		require.NoError(t, err)
		require.Error(t, result.Err())
		require.ErrorContains(t, cluster.CheckPlays(), `the play Job("s"); these ran: "init" of step "s".`)
	})
}

// TestPlayOfAPodThatIsNeverScheduled was followed: it has kept the pod from being scheduled.
func TestPlayOfAPodThatIsNeverScheduled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := startWith(t, devcluster.Options{Containers: devcluster.Scripts})
		require.NoError(t, cluster.Play(devcluster.Job("s").Pending(100*time.Hour)))
		result, err := kontinue.RunScript(run(t, cluster), &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: "s", Timeout: time.Minute}, Image: "alpine:3", Command: "true",
		})
		require.NoError(t, err)
		require.ErrorIs(t, result.Err(), kontinue.ErrDeadlineExceeded)
		require.NoError(t, cluster.CheckPlays())
	})
}

// TestAttemptsAndRetries: the plays are for one Job of the step each, whose exit code says
// which it was.
func TestAttemptsAndRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := startWith(t, devcluster.Options{Containers: devcluster.Scripts})
		require.NoError(t, cluster.Play(
			devcluster.Job("s").Attempt(0).Retry(0).Exit(10),
			devcluster.Job("s").Attempt(0).Retry(1).Exit(11),
			devcluster.Job("s").Attempt(1).Retry(0).Exit(20),
			devcluster.Job("s").Attempt(1).Retry(1).Exit(21),
			devcluster.Job("s").Attempt(2),
		))
		client := newClient(t, cluster)
		// Another Execution has steps of the same name.
		for _, name := range []string{"a", "b"} {
			execution, err := cluster.NewExecution(t.Context(), "default", name)
			require.NoError(t, err)
			execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
			for attempt, code := range []int32{11, 21, 0} {
				execution.Attempts = attempt
				ktx, err := client.NewExecutionContext(t.Context(), execution)
				require.NoError(t, err)
				result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
					StepOptions: kontinue.StepOptions{Name: "s", Retry: kontinue.Retry{Limit: 1}}, Image: "alpine:3", Command: "true",
				})
				require.NoError(t, err)
				require.Equal(t, code, result.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode, "attempt %d", attempt)
			}
			require.Len(t, cluster.Jobs(execution), 5)
		}
		require.NoError(t, cluster.CheckPlays())
	})
}

// TestJobs: those that were deleted are there, in their last state.
func TestJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := startWith(t, devcluster.Options{Containers: devcluster.Scripts})
		ktx := run(t, cluster)
		for _, step := range []string{"b", "a"} {
			_, err := script(ktx, step, "true")
			require.NoError(t, err)
		}
		_, err := script(ktx, "", "true")
		require.NoError(t, err)
		jobs := cluster.Jobs(ktx.Execution())
		require.Len(t, jobs, 3)
		background := metav1.DeletePropagationBackground
		require.NoError(t, cluster.Clientset().BatchV1().Jobs("default").Delete(t.Context(), jobs[0].Name, metav1.DeleteOptions{PropagationPolicy: &background}))
		require.NoError(t, cluster.WaitFor(t.Context(), func(ctx context.Context) (bool, error) {
			list, err := cluster.Clientset().BatchV1().Jobs("default").List(ctx, metav1.ListOptions{})
			return len(list.Items) == 2, err
		}))
		after := cluster.Jobs(ktx.Execution())
		require.Len(t, after, 3)
		for i, step := range []string{"b", "a", "step-1"} {
			require.Equal(t, step, after[i].Labels["kontinue.cloud/step"])
			require.Equal(t, jobs[i].UID, after[i].UID)
		}
		require.EqualValues(t, 1, after[0].Status.Succeeded)
		after[1].Labels["kontinue.cloud/step"] = "changed"
		require.NotEqual(t, after[1].Labels, cluster.Jobs(ktx.Execution())[1].Labels, "the caller has copies")

		n, err := cluster.Requests("create", "jobs")
		require.NoError(t, err)
		require.Equal(t, 3, n)
		_, err = cluster.Requests("create", "job")
		require.ErrorContains(t, err, "no such requests")
	})
}

func TestWaitFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := startWith(t, devcluster.Options{Containers: devcluster.Scripts})
		began := time.Now()
		require.NoError(t, cluster.WaitFor(t.Context(), func(context.Context) (bool, error) {
			return time.Since(began) >= time.Minute, nil // which no write shows
		}))
		require.Equal(t, time.Minute, time.Since(began))

		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("the limit"))
		defer cancel()
		require.ErrorContains(t, cluster.WaitFor(ctx, func(context.Context) (bool, error) { return false, nil }), "the limit")
		failed := errors.New("failed")
		require.ErrorIs(t, cluster.WaitFor(t.Context(), func(context.Context) (bool, error) { return false, failed }), failed)
		require.Error(t, cluster.WaitFor(t.Context(), nil))

		// A write makes it true at once.
		step, err := kontinue.StartScript(run(t, cluster), &kontinue.ScriptOptions{Image: "alpine:3", Command: "true"})
		require.NoError(t, err)
		began = time.Now()
		require.NoError(t, cluster.WaitFor(t.Context(), func(ctx context.Context) (bool, error) {
			job, err := cluster.Clientset().BatchV1().Jobs("default").Get(ctx, step.JobName(), metav1.GetOptions{})
			return err == nil && job.Status.Succeeded == 1, err
		}))
		require.Zero(t, time.Since(began))
	})
}
