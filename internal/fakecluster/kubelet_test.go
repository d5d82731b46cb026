package fakecluster_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

func cpu(request string) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(request)}
	}
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func unschedulable(pod *corev1.Pod) bool {
	return podCondition(pod, corev1.PodScheduled).Status == corev1.ConditionFalse
}

// waiting returns the reason of the pod's first waiting container.
func waiting(pod *corev1.Pod) string {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range list {
			if c.State.Waiting != nil {
				return c.State.Waiting.Reason
			}
		}
	}
	return ""
}

func waitsWith(reason string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool { return waiting(pod) == reason }
}

func messages(t *testing.T, c *fakecluster.Cluster, reason string) []string {
	t.Helper()
	list, err := c.Clientset().CoreV1().Events(ns).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var out []string
	for _, e := range list.Items {
		if e.Reason == reason {
			out = append(out, e.Message)
		}
	}
	return out
}

func TestUnschedulableForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Job: "wide"}, containers.Script{Unschedulable: 4 * time.Minute})
		began := time.Now()
		create(t, c, newJob("wide"))
		pod := waitPod(t, c, "wide", unschedulable)
		require.Equal(t, corev1.PodPending, pod.Status.Phase)
		require.Equal(t, "Unschedulable", podCondition(pod, corev1.PodScheduled).Reason)
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "wide")))
		require.Equal(t, 4*time.Minute, time.Since(began))
	})
}

func TestTooBigForTheNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		create(t, c, newJob("huge", cpu("1000")))
		pod := waitPod(t, c, "huge", unschedulable)
		require.Equal(t, "0/1 nodes are available: 1 Insufficient cpu.", podCondition(pod, corev1.PodScheduled).Message)
		after(time.Hour)
		require.Equal(t, []string{"0/1 nodes are available: 1 Insufficient cpu."}, messages(t, c, "FailedScheduling"))

		require.NoError(t, c.AddNode(t.Context(), kubelet.Node{Name: "giant", CPU: resource.MustParse("2000")}))
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "huge")))
		require.Equal(t, "giant", podsOf(t, c, "huge")[0].Spec.NodeName)
	})
}

func TestNodesShareTheirCapacity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Kubelet: kubelet.Options{Nodes: []kubelet.Node{{Name: "small", CPU: resource.MustParse("2")}}}})
		c.On(containers.Match{}, containers.Script{Run: time.Minute})
		began := time.Now()
		create(t, c, newJob("many", cpu("1"), func(job *batchv1.Job) {
			job.Spec.Completions, job.Spec.Parallelism = ptr.To[int32](4), ptr.To[int32](4)
		}))
		ended(t, c, "many")
		require.Equal(t, 2*time.Minute, time.Since(began), "two at a time")
	})
}

func TestMaxPodsQueues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Kubelet: kubelet.Options{MaxPods: 2}})
		c.On(containers.Match{}, containers.Script{Run: time.Minute})
		began := time.Now()
		create(t, c, newJob("many", func(job *batchv1.Job) {
			job.Spec.Completions, job.Spec.Parallelism = ptr.To[int32](5), ptr.To[int32](5)
		}))
		after(time.Second)
		phases := map[corev1.PodPhase]int{}
		for _, pod := range podsOf(t, c, "many") {
			phases[pod.Status.Phase]++
		}
		require.Equal(t, map[corev1.PodPhase]int{corev1.PodRunning: 2, corev1.PodPending: 3}, phases)
		ended(t, c, "many")
		require.Equal(t, 3*time.Minute, time.Since(began))
	})
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Exit: containers.OOMKilled})
		create(t, c, newJob("job"))
		ended(t, c, "job")
		end := podsOf(t, c, "job")[0].Status.ContainerStatuses[0].State.Terminated
		require.EqualValues(t, 137, end.ExitCode)
		require.Equal(t, "OOMKilled", end.Reason)
	})
}

func TestTerminationMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 30)
	var log []containers.LogLine
	for range 100 {
		log = append(log, containers.LogLine{Text: long})
	}
	for name, tc := range map[string]struct {
		policy corev1.TerminationMessagePolicy
		script containers.Script
		check  func(*testing.T, string)
	}{
		"file": {"", containers.Script{Log: log, Exit: containers.Exit{TerminationMessage: "done: 3 rows"}}, func(t *testing.T, m string) {
			require.Equal(t, "done: 3 rows", m)
		}},
		"file too long": {"", containers.Script{Exit: containers.Exit{TerminationMessage: strings.Repeat("x", 5000)}}, func(t *testing.T, m string) {
			require.Len(t, m, 4096)
		}},
		"no file": {"", containers.Script{Log: log, Exit: containers.Exit{Code: 1}}, func(t *testing.T, m string) { require.Empty(t, m) }},
		"fallback": {corev1.TerminationMessageFallbackToLogsOnError, containers.Script{Log: log, Exit: containers.Exit{Code: 1}}, func(t *testing.T, m string) {
			require.Len(t, m, 2048)
			require.True(t, strings.HasSuffix(m, long+"\n"))
		}},
		"fallback to 80 lines": {
			corev1.TerminationMessageFallbackToLogsOnError,
			containers.Script{Log: append([]containers.LogLine{{Text: "cut"}, {Text: "kept"}}, make([]containers.LogLine, 79)...), Exit: containers.Exit{Code: 1}},
			func(t *testing.T, m string) { require.Equal(t, "kept\n"+strings.Repeat("\n", 79), m) },
		},
		"no fallback on success": {corev1.TerminationMessageFallbackToLogsOnError, containers.Script{Log: log}, func(t *testing.T, m string) { require.Empty(t, m) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{})
				c.On(containers.Match{}, tc.script)
				create(t, c, newJob("job", func(job *batchv1.Job) {
					job.Spec.Template.Spec.Containers[0].TerminationMessagePolicy = tc.policy
				}))
				ended(t, c, "job")
				tc.check(t, podsOf(t, c, "job")[0].Status.ContainerStatuses[0].State.Terminated.Message)
			})
		})
	}
}

func TestCrashLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		crash := containers.Script{Exit: containers.Exit{Code: 1}, Log: []containers.LogLine{{Text: "crashed"}}}
		c.On(containers.Match{}, crash, crash, containers.Script{Run: time.Second, Log: []containers.LogLine{{Text: "well"}}})
		began := time.Now()
		create(t, c, newJob("job", func(job *batchv1.Job) {
			job.Spec.BackoffLimit = ptr.To[int32](6)
			job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
		}))
		pod := waitPod(t, c, "job", waitsWith("CrashLoopBackOff"))
		require.EqualValues(t, 1, pod.Status.ContainerStatuses[0].RestartCount, "the first restart is at once, and the next one counts from its start on")
		require.EqualValues(t, 1, pod.Status.ContainerStatuses[0].LastTerminationState.Terminated.ExitCode)
		require.Equal(t, "crashed\n", logsOf(t, c, pod.Name, corev1.PodLogOptions{Previous: true}))
		require.Equal(t, corev1.PodRunning, pod.Status.Phase)
		job := ended(t, c, "job")
		require.Equal(t, "Complete/CompletionsReached", outcome(job))
		require.Equal(t, 11*time.Second, time.Since(began), "none, 10 s, then a second of running")
		require.Zero(t, job.Status.Failed)
		require.Equal(t, "well\n", logsOf(t, c, pod.Name, corev1.PodLogOptions{}))
		require.Equal(t, "crashed\n", logsOf(t, c, pod.Name, corev1.PodLogOptions{Previous: true}))
	})
}

// TestNormalEvents: with them, kubectl describe shows the course of a pod in its order.
func TestNormalEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{Kubelet: kubelet.Options{NormalEvents: true}})
		c.On(containers.Match{}, containers.Script{Run: time.Hour})
		create(t, c, newJob("a", func(job *batchv1.Job) { job.Spec.ActiveDeadlineSeconds = ptr.To[int64](60) }))
		ended(t, c, "a")
		synctest.Wait()
		list, err := c.Clientset().CoreV1().Events(ns).List(t.Context(), metav1.ListOptions{FieldSelector: "type=Normal"})
		require.NoError(t, err)
		var got []string
		for _, e := range list.Items {
			got = append(got, e.Source.Component+" "+e.InvolvedObject.FieldPath+" "+e.Reason)
			require.NotEmpty(t, e.Message)
		}
		require.Equal(t, []string{
			"default-scheduler  Scheduled",
			"kubelet spec.containers{main} Pulled",
			"kubelet spec.containers{main} Created",
			"kubelet spec.containers{main} Started",
			"kubelet spec.containers{main} Killing",
		}, got)
	})
}
