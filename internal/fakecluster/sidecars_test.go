package fakecluster_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

func initContainers(names ...string) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		for _, name := range names {
			c := corev1.Container{Name: name, Image: "busybox:1"}
			if strings.HasPrefix(name, "sidecar") {
				c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
			}
			job.Spec.Template.Spec.InitContainers = append(job.Spec.Template.Spec.InitContainers, c)
		}
	}
}

func TestInitContainersRunInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Container: "one"}, containers.Script{Run: 10 * time.Second, Log: []containers.LogLine{{Text: "first"}}})
		c.On(containers.Match{Container: "two"}, containers.Script{Run: 20 * time.Second})
		c.On(containers.Match{Container: "main"}, containers.Script{Run: time.Second})
		create(t, c, newJob("job", initContainers("one", "two")))
		pod := waitPod(t, c, "job", func(p *corev1.Pod) bool {
			return len(p.Status.InitContainerStatuses) == 2 && p.Status.InitContainerStatuses[1].State.Running != nil
		})
		require.Equal(t, corev1.PodPending, pod.Status.Phase)
		require.Equal(t, "PodInitializing", pod.Status.ContainerStatuses[0].State.Waiting.Reason)
		require.Equal(t, corev1.ConditionFalse, podCondition(pod, corev1.PodInitialized).Status)
		require.Equal(t, "first\n", logsOf(t, c, pod.Name, corev1.PodLogOptions{Container: "one"}))

		ended(t, c, "job")
		pod = &podsOf(t, c, "job")[0]
		require.Equal(t, corev1.PodSucceeded, pod.Status.Phase)
		one, two := pod.Status.InitContainerStatuses[0].State.Terminated, pod.Status.InitContainerStatuses[1].State.Terminated
		require.Equal(t, "Completed", one.Reason)
		require.Equal(t, one.FinishedAt, two.StartedAt)
		require.Equal(t, two.FinishedAt, pod.Status.ContainerStatuses[0].State.Terminated.StartedAt)
	})
}

func TestInitContainerFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Container: "two"}, containers.Script{Exit: containers.Exit{Code: 9}})
		create(t, c, newJob("job", initContainers("one", "two", "three")))
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, c, "job")))
		status := podsOf(t, c, "job")[0].Status
		require.Equal(t, corev1.PodFailed, status.Phase)
		require.EqualValues(t, 9, status.InitContainerStatuses[1].State.Terminated.ExitCode)
		require.Equal(t, "PodInitializing", status.InitContainerStatuses[2].State.Waiting.Reason)
		require.Equal(t, "PodInitializing", status.ContainerStatuses[0].State.Waiting.Reason)
	})
}

func TestSidecarOutlivesTheMainContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Container: "main"}, containers.Script{Run: time.Minute})
		c.On(containers.Match{Container: "sidecar-a"}, containers.Script{Run: containers.Forever, IgnoreTERM: true})
		create(t, c, newJob("job", initContainers("sidecar-a", "one", "sidecar-b")))
		pod := waitPod(t, c, "job", running)
		require.NotNil(t, pod.Status.InitContainerStatuses[0].State.Running)
		require.NotNil(t, pod.Status.InitContainerStatuses[2].State.Running)
		began := time.Now()
		job := ended(t, c, "job")
		require.Equal(t, "Complete/CompletionsReached", outcome(job))
		require.Equal(t, 90*time.Second, time.Since(began), "a minute, then the grace period of sidecar-a")
		pod = &podsOf(t, c, "job")[0]
		require.Equal(t, corev1.PodSucceeded, pod.Status.Phase)
		require.EqualValues(t, 137, pod.Status.InitContainerStatuses[0].State.Terminated.ExitCode)
		require.EqualValues(t, 137, pod.Status.InitContainerStatuses[2].State.Terminated.ExitCode)
	})
}

func TestSidecarIsRestarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Container: "main"}, containers.Script{Run: time.Minute})
		c.On(containers.Match{Container: "sidecar"},
			containers.Script{Run: 5 * time.Second, Exit: containers.Exit{Code: 1}}, containers.Script{Run: containers.Forever})
		create(t, c, newJob("job", initContainers("sidecar")))
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
		status := podsOf(t, c, "job")[0].Status.InitContainerStatuses[0]
		require.EqualValues(t, 1, status.RestartCount)
		require.EqualValues(t, 1, status.LastTerminationState.Terminated.ExitCode)
	})
}

func TestTwoContainersOneFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Container: "main"}, containers.Script{Run: 10 * time.Second, Exit: containers.Exit{Code: 2}})
		c.On(containers.Match{Container: "other"}, containers.Script{Run: time.Minute})
		create(t, c, newJob("job", func(job *batchv1.Job) {
			spec := &job.Spec.Template.Spec
			spec.Containers = append(spec.Containers, corev1.Container{Name: "other", Image: "busybox:1"})
		}))
		began := time.Now()
		ended(t, c, "job")
		require.Equal(t, time.Minute, time.Since(began), "the other one runs to its end")
		status := podsOf(t, c, "job")[0].Status
		require.Equal(t, corev1.PodFailed, status.Phase)
		require.Zero(t, status.ContainerStatuses[1].State.Terminated.ExitCode)
	})
}
