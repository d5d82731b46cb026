package fakecluster_test

import (
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

func failurePolicy(rules ...batchv1.PodFailurePolicyRule) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Spec.BackoffLimit = ptr.To[int32](6)
		job.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: rules}
	}
}

func onExit(action batchv1.PodFailurePolicyAction, codes ...int32) batchv1.PodFailurePolicyRule {
	return batchv1.PodFailurePolicyRule{Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
		Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: codes,
	}}
}

func onDisruption(action batchv1.PodFailurePolicyAction) batchv1.PodFailurePolicyRule {
	return batchv1.PodFailurePolicyRule{Action: action, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
	}}}
}

func TestPodFailurePolicyFailsTheJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 42}})
		create(t, c, newJob("strict", failurePolicy(onExit(batchv1.PodFailurePolicyActionFailJob, 42))))
		job := ended(t, c, "strict")
		require.Equal(t, "Failed/PodFailurePolicy", outcome(job))
		pods := podsOf(t, c, "strict")
		require.Len(t, pods, 1)
		require.Equal(t, "Container main for pod work/"+pods[0].Name+" failed with exit code 42 matching FailJob rule at index 0", final(job).Message)
	})
}

func TestPodFailurePolicyCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Controller: controller.Options{PodBackoff: -1}})
		c.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 5}})
		create(t, c, newJob("count", failurePolicy(
			onExit(batchv1.PodFailurePolicyActionFailJob, 42), onExit(batchv1.PodFailurePolicyActionCount, 5),
		), func(job *batchv1.Job) { job.Spec.BackoffLimit = ptr.To[int32](1) }))
		job := ended(t, c, "count")
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(job))
		require.EqualValues(t, 2, job.Status.Failed)
	})
}

func TestEvictionIgnoredByPolicy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever, TermDelay: 5 * time.Second}, containers.Script{})
		create(t, c, newJob("moved", failurePolicy(onDisruption(batchv1.PodFailurePolicyActionIgnore))))
		pod := waitPod(t, c, "moved", running)
		require.NoError(t, c.EvictPod(t.Context(), ns, pod.Name))
		job := ended(t, c, "moved")
		require.Equal(t, "Complete/CompletionsReached", outcome(job))
		require.Zero(t, job.Status.Failed)
		require.EqualValues(t, 1, job.Status.Succeeded)
		require.NotEqual(t, pod.Name, podsOf(t, c, "moved")[0].Name)
	})
}

func TestEvictionWithoutPolicy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		// Exits 0 when asked to stop: a Failed Job whose pod succeeded.
		c.On(containers.Match{}, containers.Script{Run: 10 * time.Second})
		create(t, c, newJob("evicted"))
		pod := waitPod(t, c, "evicted", running)
		require.NoError(t, c.EvictPod(t.Context(), ns, pod.Name))
		job := ended(t, c, "evicted")
		require.Equal(t, "Failed/BackoffLimitExceeded", outcome(job))
		require.EqualValues(t, 1, job.Status.Failed)
	})
}

func TestReplaceOnlyFailedWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	for _, policy := range []batchv1.PodReplacementPolicy{batchv1.Failed, batchv1.TerminatingOrFailed} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{Controller: controller.Options{PodBackoff: -1}})
				c.On(containers.Match{}, containers.Script{Run: containers.Forever, TermDelay: 20 * time.Second}, containers.Script{Run: time.Second})
				create(t, c, newJob("one", func(job *batchv1.Job) {
					job.Spec.BackoffLimit = ptr.To[int32](3)
					job.Spec.PodReplacementPolicy = &policy
				}))
				first := waitPod(t, c, "one", running)
				asked := time.Now()
				require.NoError(t, c.DeletePod(t.Context(), ns, first.Name))
				second := waitPod(t, c, "one", func(p *corev1.Pod) bool { return p.UID != first.UID && running(p) })
				require.NotEmpty(t, second.Name)
				want := 0.0
				if policy == batchv1.Failed {
					want = 20
				}
				require.InDelta(t, want, time.Since(asked).Seconds(), 1)
				require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "one")))
			})
		})
	}
}

func indexed(completions int32) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
		job.Spec.Completions, job.Spec.Parallelism = &completions, &completions
	}
}

func TestIndexed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		create(t, c, newJob("shards", indexed(4)))
		job := ended(t, c, "shards")
		require.Equal(t, "0-3", job.Status.CompletedIndexes)
		require.EqualValues(t, 4, job.Status.Succeeded)
		hosts := map[string]string{}
		for _, pod := range podsOf(t, c, "shards") {
			hosts[pod.Annotations[batchv1.JobCompletionIndexAnnotation]] = pod.Spec.Hostname
			require.Equal(t, pod.Annotations[batchv1.JobCompletionIndexAnnotation], pod.Labels[batchv1.JobCompletionIndexAnnotation])
			require.Equal(t, "JOB_COMPLETION_INDEX", pod.Spec.Containers[0].Env[0].Name)
		}
		require.Equal(t, map[string]string{"0": "shards-0", "1": "shards-1", "2": "shards-2", "3": "shards-3"}, hosts)
	})
}

func TestBackoffLimitPerIndex(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Index: ptr.To(1)}, containers.Script{Exit: containers.Exit{Code: 1}})
		c.On(containers.Match{Index: ptr.To(2)}, containers.Script{Exit: containers.Exit{Code: 1}}, containers.Script{})
		create(t, c, newJob("shards", indexed(4), func(job *batchv1.Job) {
			job.Spec.BackoffLimit = nil
			job.Spec.BackoffLimitPerIndex = ptr.To[int32](1)
		}))
		job := ended(t, c, "shards")
		require.Equal(t, "Failed/FailedIndexes", outcome(job))
		require.Equal(t, "0,2,3", job.Status.CompletedIndexes)
		require.Equal(t, "1", *job.Status.FailedIndexes)
		require.EqualValues(t, 3, job.Status.Succeeded)
		require.EqualValues(t, 3, job.Status.Failed, "index 1 twice, index 2 once")
	})
}

func TestMaxFailedIndexes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Index: ptr.To(3)}, containers.Script{Run: containers.Forever})
		for i := range 2 {
			c.On(containers.Match{Index: ptr.To(i)}, containers.Script{Exit: containers.Exit{Code: 1}})
		}
		create(t, c, newJob("shards", indexed(4), func(job *batchv1.Job) {
			job.Spec.BackoffLimit = nil
			job.Spec.BackoffLimitPerIndex, job.Spec.MaxFailedIndexes = ptr.To[int32](0), ptr.To[int32](1)
		}))
		require.Equal(t, "Failed/MaxFailedIndexesExceeded", outcome(ended(t, c, "shards")))
	})
}

func TestFailIndexAction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Index: ptr.To(0)}, containers.Script{Exit: containers.Exit{Code: 7}})
		create(t, c, newJob("shards", indexed(2), failurePolicy(onExit(batchv1.PodFailurePolicyActionFailIndex, 7)), func(job *batchv1.Job) {
			job.Spec.BackoffLimit = nil
			job.Spec.BackoffLimitPerIndex = ptr.To[int32](5)
		}))
		job := ended(t, c, "shards")
		require.Equal(t, "Failed/FailedIndexes", outcome(job))
		require.EqualValues(t, 1, job.Status.Failed)
	})
}

func TestSuccessPolicy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever})
		c.On(containers.Match{Index: ptr.To(0)}, containers.Script{Run: time.Second})
		create(t, c, newJob("leader", indexed(3), func(job *batchv1.Job) {
			job.Spec.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: ptr.To("0")}}}
		}))
		job := ended(t, c, "leader")
		require.Equal(t, "Complete/SuccessPolicy", outcome(job))
		require.Equal(t, "Matched rules at index 0", final(job).Message)
		require.Equal(t, "0", job.Status.CompletedIndexes)
		require.EqualValues(t, 1, job.Status.Succeeded)
	})
}
