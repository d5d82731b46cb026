package fakecluster_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/controller"
)

// history records what watches of Jobs and pods show of one Job, in the order
// of the resource versions, in short lines.
type history struct {
	jobs, pods []string
}

// record watches until the Job has ended.
func record(t *testing.T, c *fakecluster.Cluster, job *batchv1.Job) history {
	t.Helper()
	ctx := t.Context()
	pods, err := c.Clientset().CoreV1().Pods(ns).Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	defer pods.Stop()
	jobs, err := c.Clientset().BatchV1().Jobs(ns).Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	defer jobs.Stop()
	create(t, c, job)
	var h history
	done := false
	for {
		synctest.Wait() // everything that is due at this moment has happened
		select {
		case event := <-jobs.ResultChan():
			job, ok := event.Object.(*batchv1.Job)
			require.True(t, ok)
			h.jobs = append(h.jobs, jobLine(job))
			done = done || final(job) != nil
			continue
		case event := <-pods.ResultChan():
			pod, ok := event.Object.(*corev1.Pod)
			require.True(t, ok)
			h.pods = append(h.pods, string(event.Type)+" "+podLine(pod))
			continue
		default:
		}
		if done {
			return h
		}
		timer := time.NewTimer(100 * time.Millisecond)
		<-timer.C
	}
}

func jobLine(job *batchv1.Job) string {
	s := job.Status
	line := fmt.Sprintf("active=%d ready=%d terminating=%d succeeded=%d failed=%d",
		s.Active, ptr.Deref(s.Ready, 0), ptr.Deref(s.Terminating, 0), s.Succeeded, s.Failed)
	if u := s.UncountedTerminatedPods; u != nil && len(u.Succeeded)+len(u.Failed) > 0 {
		line += fmt.Sprintf(" uncounted=%d+%d", len(u.Succeeded), len(u.Failed))
	}
	for _, c := range s.Conditions {
		if c.Status == corev1.ConditionTrue {
			line += " " + string(c.Type)
		} else {
			line += " " + string(c.Type) + "=" + string(c.Status)
		}
	}
	return line
}

func podLine(pod *corev1.Pod) string {
	line := string(pod.Status.Phase)
	if pod.Spec.NodeName == "" {
		line += " unbound"
	}
	if pod.DeletionTimestamp != nil {
		line += " deleting"
	}
	if slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) {
		line += " tracked"
	}
	return line
}

// The expected sequences are those measured on a real control plane.

func TestOrderOfSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: 5 * time.Second})
		h := record(t, c, newJob("ok"))
		require.Equal(t, []string{
			"active=0 ready=0 terminating=0 succeeded=0 failed=0",
			"active=1 ready=0 terminating=0 succeeded=0 failed=0",
			"active=1 ready=1 terminating=0 succeeded=0 failed=0",
			"active=0 ready=0 terminating=0 succeeded=0 failed=0 uncounted=1+0 SuccessCriteriaMet",
			"active=0 ready=0 terminating=0 succeeded=1 failed=0 SuccessCriteriaMet Complete",
		}, h.jobs)
		require.Equal(t, []string{
			"ADDED Pending unbound tracked",
			"MODIFIED Pending tracked",
			"MODIFIED Running tracked",
			"MODIFIED Succeeded tracked",
			"MODIFIED Succeeded",
		}, h.pods)
	})
}

func TestOrderOfFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: 5 * time.Second, Exit: containers.Exit{Code: 1}})
		h := record(t, c, newJob("bad"))
		require.Equal(t, []string{
			"active=0 ready=0 terminating=0 succeeded=0 failed=0 uncounted=0+1 FailureTarget",
			"active=0 ready=0 terminating=0 succeeded=0 failed=1 FailureTarget Failed",
		}, h.jobs[3:])
		require.Equal(t, []string{"MODIFIED Failed tracked", "MODIFIED Failed"}, h.pods[3:])
	})
}

func TestOrderAtDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever, TermDelay: 3 * time.Second})
		began := time.Now()
		h := record(t, c, newJob("late", func(job *batchv1.Job) { job.Spec.ActiveDeadlineSeconds = ptr.To[int64](20) }))
		require.Equal(t, []string{
			"active=0 ready=0 terminating=1 succeeded=0 failed=0 uncounted=0+1 FailureTarget",
			"active=0 ready=0 terminating=1 succeeded=0 failed=1 FailureTarget",
			"active=0 ready=0 terminating=0 succeeded=0 failed=1 FailureTarget",
			"active=0 ready=0 terminating=0 succeeded=0 failed=1 FailureTarget Failed",
		}, h.jobs[3:])
		require.Equal(t, []string{
			"MODIFIED Running deleting tracked",
			"MODIFIED Running deleting",
			"MODIFIED Failed deleting",
			"MODIFIED Failed deleting", // its grace period is 0 now
			"DELETED Failed deleting",
		}, h.pods[3:])
		require.InDelta(t, 23, time.Since(began).Seconds(), 1)
		require.Equal(t, "Failed/DeadlineExceeded", outcome(ended(t, c, "late")))
	})
}

func TestBackoffSpacesRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{},
			containers.Script{Exit: containers.Exit{Code: 1}},
			containers.Script{Exit: containers.Exit{Code: 2}},
			containers.Script{})
		create(t, c, newJob("again", func(job *batchv1.Job) { job.Spec.BackoffLimit = ptr.To[int32](2) }))
		job := ended(t, c, "again")
		require.Equal(t, "Complete/CompletionsReached", outcome(job))
		require.EqualValues(t, 1, job.Status.Succeeded)
		require.EqualValues(t, 2, job.Status.Failed)
		pods := podsOf(t, c, "again")
		require.Len(t, pods, 3)
		require.Equal(t, 10*time.Second, pods[1].CreationTimestamp.Sub(pods[0].CreationTimestamp.Time))
		require.Equal(t, 20*time.Second, pods[2].CreationTimestamp.Sub(pods[1].CreationTimestamp.Time))
	})
}

func TestBackoffLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Controller: controller.Options{PodBackoff: -1}})
		c.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 1}})
		create(t, c, newJob("thrice", func(job *batchv1.Job) { job.Spec.BackoffLimit = ptr.To[int32](2) }))
		job := ended(t, c, "thrice")
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(job))
		require.EqualValues(t, 3, job.Status.Failed)
		require.Len(t, podsOf(t, c, "thrice"), 3)
	})
}

func TestParallelism(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: time.Minute})
		began := time.Now()
		create(t, c, newJob("five", func(job *batchv1.Job) {
			job.Spec.Completions, job.Spec.Parallelism = ptr.To[int32](5), ptr.To[int32](2)
		}))
		job := ended(t, c, "five")
		require.EqualValues(t, 5, job.Status.Succeeded)
		require.Len(t, podsOf(t, c, "five"), 5)
		require.Equal(t, 3*time.Minute, time.Since(began))
	})
}

func TestWorkQueueEndsWithItsLastPod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		n := 0
		c.On(containers.Match{Where: func(containers.Spec) bool { n++; return n == 1 }}, containers.Script{Run: time.Second})
		c.On(containers.Match{Where: func(containers.Spec) bool { return n > 1 }}, containers.Script{Run: time.Minute})
		create(t, c, newJob("queue", func(job *batchv1.Job) {
			job.Spec.Completions, job.Spec.Parallelism = nil, ptr.To[int32](3)
		}))
		job := ended(t, c, "queue")
		require.Equal(t, "Complete/CompletionsReached", outcome(job))
		require.EqualValues(t, 3, job.Status.Succeeded)
	})
}

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: time.Minute, TermDelay: 5 * time.Second})
		create(t, c, newJob("pause", func(job *batchv1.Job) { job.Spec.Suspend = ptr.To(true) }))
		job, err := waitJob(t.Context(), c, "pause", func(job *batchv1.Job) bool { return len(job.Status.Conditions) > 0 })
		require.NoError(t, err)
		require.Equal(t, "JobSuspended", job.Status.Conditions[0].Reason)
		require.Nil(t, job.Status.StartTime)
		require.Empty(t, podsOf(t, c, "pause"))

		suspend(t, c, "pause", false)
		waitPod(t, c, "pause", running)
		suspend(t, c, "pause", true)
		synctest.Wait()
		pod := podsOf(t, c, "pause")[0]
		require.NotNil(t, pod.DeletionTimestamp)
		require.Empty(t, pod.Finalizers, "a suspended Job does not count the pod")

		suspend(t, c, "pause", false)
		job = ended(t, c, "pause")
		require.Equal(t, "Complete/CompletionsReached", outcome(job))
		require.Zero(t, job.Status.Failed)
		require.Contains(t, jobLine(job), "Suspended=False")
		require.NotNil(t, job.Status.StartTime)
	})
}

func suspend(t *testing.T, c *fakecluster.Cluster, name string, on bool) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"suspend":%t}}`, on)
	_, err := c.Clientset().BatchV1().Jobs(ns).Patch(t.Context(), name, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
	require.NoError(t, err)
}

func TestManagedByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		create(t, c, newJob("theirs", func(job *batchv1.Job) { job.Spec.ManagedBy = ptr.To("example.com/other") }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := waitJob(ctx, c, "theirs", func(job *batchv1.Job) bool { return job.Status.StartTime != nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, podsOf(t, c, "theirs"))
	})
}

func TestOnFailureDeletesTheRunningPod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: time.Second, Exit: containers.Exit{Code: 1}})
		h := record(t, c, newJob("restart", func(job *batchv1.Job) {
			job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
		}))
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, c, "restart")))
		require.Contains(t, h.pods[len(h.pods)-1], "DELETED")
		require.Empty(t, podsOf(t, c, "restart"))
	})
}

func TestSyncBatchDelaysTheStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Controller: controller.Options{SyncBatch: time.Second}})
		began := time.Now()
		create(t, c, newJob("slow"))
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "slow")))
		require.InDelta(t, 1.5, time.Since(began).Seconds(), 0.6)
	})
}
