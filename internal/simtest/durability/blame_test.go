package durability_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// matrixJob returns a step of one container, with backoffLimit 0.
func matrixJob(change func(*batchv1.JobSpec)) *kontinue.JobOptions {
	spec := batchv1.JobSpec{
		BackoffLimit: new(int32(0)),
		Template:     corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
	}
	if change != nil {
		change(&spec)
	}
	return &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: "matrix"}, Spec: spec}
}

// indexedJob runs n indexes at a time.
func indexedJob(n int32, change func(*batchv1.JobSpec)) *kontinue.JobOptions {
	return matrixJob(func(s *batchv1.JobSpec) {
		s.CompletionMode = new(batchv1.IndexedCompletion)
		s.Completions, s.Parallelism = new(n), new(n)
		if change != nil {
			change(s)
		}
	})
}

func perIndex(most *int32) func(*batchv1.JobSpec) {
	return func(s *batchv1.JobSpec) {
		s.BackoffLimit, s.BackoffLimitPerIndex, s.MaxFailedIndexes = nil, new(int32(0)), most
	}
}

func onExit(action batchv1.PodFailurePolicyAction, code int32) batchv1.PodFailurePolicyRule {
	return batchv1.PodFailurePolicyRule{Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
		Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{code},
	}}
}

func exits(after time.Duration, code int32) containers.Script {
	return containers.Script{Run: after, Exit: containers.Exit{Code: code}}
}

func runsOutOfMemory(after time.Duration) containers.Script {
	return containers.Script{Run: after, Exit: containers.Exit{Code: 137, Reason: "OOMKilled"}}
}

// TestErrNamesTheFailureThatDecided lets a Job fail because of one of its pods, while
// others are stopped, removed or ignored; and then asks a worker that has the record only.
func TestErrNamesTheFailureThatDecided(t *testing.T) {
	t.Parallel()
	forever := containers.Script{Run: containers.Forever}
	for name, tc := range map[string]struct {
		job    *kontinue.JobOptions
		all    []containers.Script
		index  map[int][]containers.Script // instead, for an index
		during func(w *simtest.World)

		code   int32
		of     string // part of the pod's name
		oom    bool
		reason string // default: Error
	}{
		"one of three indexes": {job: indexedJob(3, nil), index: map[int][]containers.Script{2: {exits(5*time.Second, 7)}}, code: 7, of: "-2-"},
		"the last of 150":      {job: indexedJob(150, nil), index: map[int][]containers.Script{149: {exits(5*time.Second, 7)}}, code: 7, of: "-149-"},
		"its peers fail because of it": {
			job: indexedJob(3, nil), code: 7, of: "-2-",
			index: map[int][]containers.Script{2: {exits(5300*time.Millisecond, 7)}, 0: {exits(6100*time.Millisecond, 1)}, 1: {runsOutOfMemory(6100 * time.Millisecond)}}, oom: true,
		},
		"FailJob": {
			job: indexedJob(2, func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(6))
				s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{onExit(batchv1.PodFailurePolicyActionFailJob, 42)}}
			}),
			index: map[int][]containers.Script{1: {exits(time.Second, 3), exits(5*time.Second, 42)}}, code: 42, of: "-1-",
		},
		"maxFailedIndexes": {job: indexedJob(3, perIndex(new(int32(0)))), index: map[int][]containers.Script{1: {exits(5*time.Second, 7)}}, code: 7, of: "-1-"},
		"FailedIndexes": {
			job: indexedJob(3, perIndex(nil)), all: []containers.Script{exits(time.Minute, 0)},
			index: map[int][]containers.Script{1: {exits(5*time.Second, 7)}}, code: 7, of: "-1-",
		},
		"out of memory": {job: indexedJob(2, nil), index: map[int][]containers.Script{1: {runsOutOfMemory(5 * time.Second)}}, code: 137, of: "-1-", oom: true, reason: "OOMKilled"},
		"the last try": {
			job: matrixJob(func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(2)) }),
			all: []containers.Script{exits(time.Second, 1), runsOutOfMemory(time.Second), runsOutOfMemory(time.Second)}, code: 137, oom: true, reason: "OOMKilled",
		},
		"the first try": {
			job: matrixJob(func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(2)) }),
			all: []containers.Script{runsOutOfMemory(time.Second), exits(time.Second, 1), exits(time.Second, 2)}, code: 2, oom: true,
		},
		"suspended meanwhile": {
			job: matrixJob(nil), all: []containers.Script{forever, exits(5*time.Second, 9)}, code: 9,
			during: func(w *simtest.World) {
				w.Sleep(10 * time.Second)
				suspend(w, true)
				w.Sleep(time.Minute)
				suspend(w, false)
			},
		},
		"an evicted pod is ignored": {
			job: matrixJob(func(s *batchv1.JobSpec) {
				s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
					Action: batchv1.PodFailurePolicyActionIgnore,
					OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{
						Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
					}},
				}}}
			}),
			all: []containers.Script{forever, exits(5*time.Second, 9)}, code: 9,
			during: func(w *simtest.World) {
				w.Sleep(10 * time.Second)
				require.NoError(w, w.Cluster.PressureEvictPod("ns", w.Pods()[0].Name, ""))
			},
		},
		"restarted until the limit": {
			job: matrixJob(func(s *batchv1.JobSpec) {
				s.BackoffLimit = new(int32(2))
				s.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
			}),
			all: []containers.Script{runsOutOfMemory(time.Second), runsOutOfMemory(time.Second), forever}, code: 137, oom: true, reason: "OOMKilled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				if tc.all == nil {
					tc.all = []containers.Script{forever}
				}
				w.Cluster.On(containers.Match{}, tc.all...)
				for index, scripts := range tc.index {
					w.Cluster.On(containers.Match{Index: &index}, scripts...)
				}
				if tc.during != nil {
					go tc.during(w)
				}
				first := w.Worker()
				live, err := kontinue.RunJob(first.ExecutionContext(), tc.job)
				require.NoError(t, err)
				require.False(t, live.Complete())
				first.Kill()
				deletePods(w)
				resumed, err := kontinue.RunJob(w.Worker().ExecutionContext(), tc.job)
				require.NoError(t, err)

				for when, r := range map[string]*kontinue.JobResult{"live": live, "resumed": resumed, "saved": viaJSON(t, live), "saved later": viaJSON(t, resumed)} {
					var exit *kontinue.ExitError
					require.ErrorAs(t, r.Err(), &exit, when)
					require.Equal(t, tc.code, exit.ExitCode, "%s: %v", when, exit)
					require.Contains(t, exit.Pod, tc.of, when)
					require.Equal(t, map[bool]string{true: "Error", false: tc.reason}[tc.reason == ""], exit.Reason, when)
					require.Equal(t, tc.oom, errors.Is(exit, kontinue.ErrOOMKilled), "%s: %v", when, exit)
					require.Contains(t, r.Message, "(pod "+exit.Pod+": ", when)
					require.Equal(t, live.Err().Error(), exit.Error(), when)
				}
			})
		})
	}
}

func suspend(w *simtest.World, on bool) {
	w.Helper()
	_, err := w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), w.Jobs()["matrix"][0].Name, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, on), metav1.PatchOptions{})
	require.NoError(w, err)
}

// TestCompleteJobIsNoError: a Job that completed after a retry of its own, by a success
// policy, or because there was nothing to do.
func TestCompleteJobIsNoError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		job       *kontinue.JobOptions
		scripts   []containers.Script
		succeeded bool
	}{
		"at once": {job: matrixJob(nil), succeeded: true},
		"at the second try": {
			job:     matrixJob(func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(1)) }),
			scripts: []containers.Script{exits(time.Second, 1), {}},
		},
		"success policy": {
			job: indexedJob(3, func(s *batchv1.JobSpec) {
				s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: new("0")}}}
			}),
			succeeded: true, // the pods that it stops do not count
		},
		"nothing to do": {job: matrixJob(func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = new(int32(0)), new(int32(0)) })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				if name == "success policy" {
					w.Cluster.On(containers.Match{}, containers.Script{Run: containers.Forever})
					w.Cluster.On(containers.Match{Index: new(0)}, exits(time.Second, 0))
				} else if tc.scripts != nil {
					w.Cluster.On(containers.Match{}, tc.scripts...)
				}
				w.Execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
				// The function of README: an attempt is over without an error, so none follows.
				r, err := kontinue.RunJob(w.Worker().ExecutionContext(), tc.job)
				require.NoError(t, err)
				for _, r := range []*kontinue.JobResult{r, viaJSON(t, r)} {
					require.NoError(t, r.Err())
					require.True(t, r.Complete())
					require.Equal(t, tc.succeeded, r.Succeeded(), r.Message)
					require.Equal(t, tc.succeeded, r.Message == "", r.Message)
				}
			})
		})
	}
}

// TestProgressNamesTheCause: the last report says which pod was to blame, live and after a
// resume, and one of a pod that backs off why.
func TestProgressNamesTheCause(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: containers.Forever})
		w.Cluster.On(containers.Match{Index: new(2)}, exits(5*time.Second, 7))
		for i, user := range []string{"one", "two"} {
			var last kontinue.Progress
			client, _ := w.NewClient(user, func(c *kontinue.Config) { c.OnProgress = func(p kontinue.Progress) { last = p } })
			require.NoError(t, client.Start(w.Context()))
			execution := w.Execution
			execution.Resumptions = i
			ktx, err := client.NewExecutionContext(w.Context(), execution)
			require.NoError(t, err)
			_, err = kontinue.RunJob(ktx, indexedJob(3, nil))
			require.NoError(t, err)
			require.Equal(t, kontinue.StepFailed, last.State)
			require.Equal(t, "BackoffLimitExceeded", last.Reason)
			require.Contains(t, last.Message, "reached the specified backoff limit (pod ")
			require.Contains(t, last.Message, `-2-`)
			require.Contains(t, last.Message, `container "main" failed: exit code 7`)
		}
	})
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, runsOutOfMemory(time.Second), runsOutOfMemory(time.Second), containers.Script{})
		seen := map[string]string{}
		client, _ := w.NewClient("one", func(c *kontinue.Config) { c.OnProgress = func(p kontinue.Progress) { seen[p.Reason] = p.Message } })
		require.NoError(t, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(t, err)
		_, err = kontinue.RunJob(ktx, matrixJob(func(s *batchv1.JobSpec) {
			s.BackoffLimit = new(int32(6))
			s.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
		}))
		require.NoError(t, err)
		require.Contains(t, seen["OOMKilled"], "CrashLoopBackOff after it was OOMKilled")
		require.NotContains(t, seen, "CrashLoopBackOff")
	})
}
