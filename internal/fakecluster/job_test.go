package fakecluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

func TestJobCompletes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Job: "greet"}, containers.Script{
			Run: 3 * time.Second,
			Log: []containers.LogLine{{Text: "hello"}, {After: time.Second, Text: "bye"}},
		})
		create(t, c, newJob("greet"))
		job := ended(t, c, "greet")

		require.Equal(t, "Complete/CompletionsReached", outcome(job))
		require.EqualValues(t, 1, job.Status.Succeeded)
		require.Zero(t, job.Status.Active)
		require.NotNil(t, job.Status.CompletionTime)
		pods := podsOf(t, c, "greet")
		require.Len(t, pods, 1)
		require.Equal(t, corev1.PodSucceeded, pods[0].Status.Phase)
		require.Empty(t, pods[0].Finalizers)
		end := pods[0].Status.ContainerStatuses[0].State.Terminated
		require.Equal(t, 3*time.Second, end.FinishedAt.Sub(end.StartedAt.Time))
		require.Equal(t, "hello\nbye\n", logsOf(t, c, pods[0].Name, corev1.PodLogOptions{}))
	})
}

func TestJobFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Job: "bad"}, containers.Script{Exit: containers.Exit{Code: 3}})
		create(t, c, newJob("bad"))
		job := ended(t, c, "bad")

		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(job))
		require.EqualValues(t, 1, job.Status.Failed)
		require.Nil(t, job.Status.CompletionTime)
		pods := podsOf(t, c, "bad")
		require.Len(t, pods, 1)
		require.EqualValues(t, 3, pods[0].Status.ContainerStatuses[0].State.Terminated.ExitCode)
		require.Equal(t, "Error", pods[0].Status.ContainerStatuses[0].State.Terminated.Reason)
	})
}

func TestLocalProcesses(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	create(t, c, newJob("shell", func(job *batchv1.Job) {
		main := &job.Spec.Template.Spec.Containers[0]
		main.Command = []string{"/bin/sh", "-c", `echo "$GREETING"; echo err >&2; exit 4`}
		main.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}}
	}))
	job := ended(t, c, "shell")

	require.Equal(t, "Failed/BackoffLimitExceeded", outcome(job))
	pods := podsOf(t, c, "shell")
	require.EqualValues(t, 4, pods[0].Status.ContainerStatuses[0].State.Terminated.ExitCode)
	require.Equal(t, "hello\nerr\n", logsOf(t, c, pods[0].Name, corev1.PodLogOptions{}))
}
