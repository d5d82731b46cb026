package fakecluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/controller"
)

// Package endings compares what can be caused on a real cluster. The tests here are of
// the rest, by the sources of the kubelet.

// answersWithZero is a container that exits with 0 half a second after SIGTERM.
var answersWithZero = containers.Script{Do: func(ctx context.Context, _ containers.Spec) containers.Exit {
	<-ctx.Done()
	timer := time.NewTimer(500 * time.Millisecond)
	<-timer.C
	return containers.Exit{}
}}

func terminated(pod *corev1.Pod) bool {
	return len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].State.Terminated != nil
}

func ends(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func TestPressureEvictionOfWhatAnswersWithZero(t *testing.T) {
	t.Parallel()
	for name, delays := range map[string]fakecluster.Delays{"none": {}, "real": fakecluster.RealDelays()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{Delays: delays})
				c.On(containers.Match{}, answersWithZero)
				create(t, c, newJob("job"))
				pod := waitPod(t, c, "job", running)
				began := time.Now()
				require.NoError(t, c.PressureEvictPod(ns, pod.Name, ""))
				// State, phase and condition come at once, when the container has ended.
				pod = waitPod(t, c, "job", func(pod *corev1.Pod) bool {
					return terminated(pod) || ends(pod) || podCondition(pod, corev1.DisruptionTarget).Reason != ""
				})
				require.Equal(t, 500*time.Millisecond, time.Since(began))
				require.Equal(t, corev1.PodSucceeded, pod.Status.Phase)
				require.Empty(t, pod.Status.Reason)
				require.Equal(t, "TerminationByKubelet", podCondition(pod, corev1.DisruptionTarget).Reason)
				require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
			})
		})
	}
}

func TestPressureEvictionInTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Delays: fakecluster.RealDelays()})
		c.On(containers.Match{}, containers.Script{Run: 5 * time.Second, Exit: containers.Exit{Code: 143}})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", terminated)
		require.Equal(t, corev1.PodRunning, pod.Status.Phase)
		began := time.Now()
		require.NoError(t, c.PressureEvictPod(ns, pod.Name, ""))
		synctest.Wait()
		pod = &podsOf(t, c, "job")[0]
		require.Empty(t, pod.Status.Reason, "it is withheld with the phase")
		require.Empty(t, podCondition(pod, corev1.DisruptionTarget).Reason)
		pod = waitPod(t, c, "job", ends)
		require.Equal(t, 1070*time.Millisecond, time.Since(began), "the eviction does not shorten the window")
		require.Equal(t, "Evicted", pod.Status.Reason)
		require.Equal(t, "TerminationByKubelet", podCondition(pod, corev1.DisruptionTarget).Reason)
	})
}

func TestDeletionBeforeTheEndIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Delays: fakecluster.RealDelays()})
		c.On(containers.Match{}, containers.Script{Run: 5 * time.Second})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", running)
		gone := watchEnd(t, c, pod.Name)
		after(5100 * time.Millisecond) // the process has ended, the status does not show it
		pod = &podsOf(t, c, "job")[0]
		require.False(t, terminated(pod))
		require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
		synctest.Wait()
		pod = &podsOf(t, c, "job")[0]
		require.True(t, terminated(pod), "the kubelet looks before it stops anything")
		require.Equal(t, corev1.PodSucceeded, pod.Status.Phase)
		began := time.Now()
		require.Equal(t, corev1.PodSucceeded, (<-gone).Status.Phase)
		require.Greater(t, time.Since(began), 500*time.Millisecond)
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
	})
}

func TestNodeDiesInTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Delays: fakecluster.RealDelays()})
		c.On(containers.Match{}, containers.Script{Run: 5 * time.Second})
		create(t, c, newJob("job"))
		waitPod(t, c, "job", terminated)
		require.NoError(t, c.KillNode(t.Context(), "node-1"))
		after(time.Hour)
		pod := &podsOf(t, c, "job")[0]
		require.Equal(t, corev1.PodRunning, pod.Status.Phase, "no kubelet writes the phase")
		gone := watchEnd(t, c, pod.Name)
		require.NoError(t, c.RemoveNode(t.Context(), "node-1"))
		last := <-gone
		require.Equal(t, corev1.PodFailed, last.Status.Phase)
		require.Zero(t, last.Status.ContainerStatuses[0].State.Terminated.ExitCode)
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, c, "job")))
	})
}

func TestDeletedBeforeItStartedWithDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Delays: fakecluster.RealDelays()})
		c.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", waitsWith("ImagePullBackOff"))
		gone := watchEnd(t, c, pod.Name)
		began := time.Now()
		require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
		pod = waitPod(t, c, "job", waitsWith("ContainerCreating"))
		require.Equal(t, corev1.PodPending, pod.Status.Phase)
		require.Zero(t, time.Since(began))
		pod = waitPod(t, c, "job", ends)
		require.Equal(t, fakecluster.RealDelays().PodRemoval, time.Since(began))
		require.Equal(t, "ContainerStatusUnknown", pod.Status.ContainerStatuses[0].State.Terminated.Reason)
		require.Equal(t, corev1.PodFailed, (<-gone).Status.Phase)
	})
}

func TestTheLogEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Delays: fakecluster.RealDelays()})
		c.On(containers.Match{}, containers.Script{Run: 5 * time.Second, Log: []containers.LogLine{{Text: "hello"}}})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", running)
		began := time.Now()
		require.Equal(t, "hello\n", logsOf(t, c, pod.Name, corev1.PodLogOptions{Follow: true}))
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}

func TestDelaysAreSetSingly(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		delays fakecluster.Delays
		state  time.Duration // until the container is shown as terminated
		phase  time.Duration
		job    time.Duration
	}{
		"none":   {fakecluster.Delays{}, 0, 0, 0},
		"status": {fakecluster.Delays{ContainerStatus: 300 * time.Millisecond}, 300 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond},
		"phase":  {fakecluster.Delays{PodPhase: 400 * time.Millisecond}, 0, 400 * time.Millisecond, 400 * time.Millisecond},
		"job":    {fakecluster.Delays{JobSync: 500 * time.Millisecond}, 0, 0, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{Delays: tc.delays})
				c.On(containers.Match{}, containers.Script{Run: 5 * time.Second})
				create(t, c, newJob("job"))
				waitPod(t, c, "job", running)
				end := time.Now().Add(5 * time.Second)
				waitPod(t, c, "job", terminated)
				require.Equal(t, tc.state, time.Since(end))
				waitPod(t, c, "job", ends)
				require.Equal(t, tc.phase, time.Since(end))
				ended(t, c, "job")
				require.Equal(t, tc.job, time.Since(end))
			})
		})
	}
}

func TestAnOptionOfAPartTakesPrecedence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{
			Delays:     fakecluster.Delays{JobSync: time.Hour},
			Controller: controller.Options{SyncBatch: time.Second},
		})
		began := time.Now()
		create(t, c, newJob("job"))
		ended(t, c, "job")
		require.Less(t, time.Since(began), time.Minute)
	})
}

func TestSidecarOfAFailedInitContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Delays: fakecluster.RealDelays()})
		c.On(containers.Match{Container: "sidecar-1"}, containers.Script{Run: containers.Forever, TermDelay: 2 * time.Second})
		c.On(containers.Match{Container: "init-1"}, containers.Script{Run: 5 * time.Second, Exit: containers.Exit{Code: 4}})
		create(t, c, newJob("job", initContainers("sidecar-1", "init-1"), func(job *batchv1.Job) {
			job.Spec.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](10)
		}))
		pod := waitPod(t, c, "job", func(pod *corev1.Pod) bool {
			s := pod.Status.InitContainerStatuses
			return len(s) == 2 && s[1].State.Terminated != nil
		})
		require.NotNil(t, pod.Status.InitContainerStatuses[0].State.Running)
		require.Equal(t, "PodFailed", podCondition(pod, corev1.PodReady).Reason)
		began := time.Now()
		pod = waitPod(t, c, "job", ends)
		require.Equal(t, 3070*time.Millisecond, time.Since(began), "the sidecar gets SIGTERM when the window is over")
		require.NotNil(t, pod.Status.InitContainerStatuses[0].State.Terminated)
		require.Equal(t, corev1.PodFailed, pod.Status.Phase)
	})
}
