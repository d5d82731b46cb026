package durability_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// The containers of these tests run for a minute.
const (
	processEnds = time.Minute
	terminated  = processEnds + 700*time.Millisecond
	phaseFinal  = terminated + 1070*time.Millisecond
)

// timed runs a script of a minute and returns when that returned.
func timed(w *simtest.World, p *simtest.Worker, code int32, until kontinue.Until) (*kontinue.PodResult, time.Duration) {
	w.Helper()
	w.Cluster.On(containers.Match{Container: "script"}, containers.Script{Run: processEnds, Exit: containers.Exit{Code: code}})
	began := time.Now()
	s := simtest.Script("step", "true")
	s.Until = until
	r, err := kontinue.RunScript(p.ExecutionContext(), s)
	require.NoError(w, err)
	return r, time.Since(began)
}

// ending is how a Job has ended; the zero value means that it has not.
type ending struct {
	Terminal, Failed bool
	Reason           string
	at               time.Time
}

func endingOf(job *batchv1.Job) (e ending) {
	for _, c := range job.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			e = ending{true, c.Type == batchv1.JobFailed, c.Reason, c.LastTransitionTime.Time}
		}
	}
	return e
}

// status is that of the only Job of the step.
func status(w *simtest.World) ending {
	w.Helper()
	require.Len(w, w.Jobs()["step"], 1)
	return endingOf(&w.Jobs()["step"][0])
}

// untilTerminal waits for the Job's condition, and returns how long that took.
func untilTerminal(w *simtest.World) time.Duration {
	began := time.Now()
	for !status(w).Terminal {
		require.Less(w, time.Since(began), 5*time.Minute)
		w.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// TestEarly: a success is returned when the containers have terminated and a failure when
// the phase is final, with no request but the create and the record, and the result is
// what becomes of pod and Job.
func TestEarly(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{0, 3} {
		for until, earliest := range map[kontinue.Until]time.Duration{
			kontinue.UntilContainers: map[bool]time.Duration{true: terminated, false: phaseFinal}[code == 0],
			kontinue.UntilPod:        phaseFinal,
			kontinue.UntilJob:        phaseFinal + 100*time.Millisecond,
		} {
			t.Run(fmt.Sprintf("exit code %d, until %d", code, until), func(t *testing.T) {
				t.Parallel()
				simtest.RunReal(t, func(w *simtest.World) {
					p := w.Worker()
					r, after := timed(w, p, code, until)
					require.InDelta(t, earliest.Seconds(), after.Seconds(), 0.01+map[bool]float64{true: 2}[until == kontinue.UntilJob])
					require.GreaterOrEqual(t, after, earliest)
					require.Equal(t, until == kontinue.UntilJob, status(w).Terminal)
					require.Equal(t, code == 0, r.Succeeded())
					require.Equal(t, 2, p.Requests(""), "create and record")
					want := map[bool]corev1.PodPhase{true: corev1.PodSucceeded, false: corev1.PodFailed}[code == 0]
					require.Equal(t, want, r.Phase)
					require.Equal(t, want, r.Pod.Status.Phase)
					require.Equal(t, "alpine:3", r.Pod.Spec.Containers[0].Image, "the whole pod")

					times := r.Times
					require.False(t, times.Created.IsZero() || times.Scheduled.IsZero())
					require.WithinDuration(t, times.Created, times.Started, 5*time.Second)
					require.Equal(t, processEnds, times.Ended.Sub(times.Started))
					require.WithinRange(t, times.Seen, times.Ended, time.Now())

					w.Execution.Resumptions++
					same, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("step", "true"))
					require.NoError(t, err)
					requireSameResult(t, r, same)
					require.Equal(t, 3, p.Requests(""), "and a LIST: its own cache does not show the Job any more")

					again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
					require.NoError(t, err)
					requireSameResult(t, r, again)
					untilTerminal(w)
					require.Equal(t, code != 0, status(w).Failed)
					require.Equal(t, want, w.Pods()[0].Status.Phase)
					last, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
					require.NoError(t, err)
					requireSameResult(t, r, last)
					w.RequireRanOnce(map[string]int{"step": 1})
				})
			})
		}
	}
}

func requireSameResult(t testing.TB, want, have *kontinue.PodResult) {
	t.Helper()
	require.Equal(t, want.Phase, have.Phase)
	require.Equal(t, want.Message, have.Message)
	require.Equal(t, want.Times, have.Times)
	require.Equal(t, want.Pod.Status.Phase, have.Pod.Status.Phase)
	require.Equal(t, fmt.Sprint(want.Err()), fmt.Sprint(have.Err()))
}

// TestEarlyEndsOfManyWorkers: workers of one attempt that wait at the same time, some of
// which see the end from the containers, some from the pod and some from the Job, get one
// result.
func TestEarlyEndsOfManyWorkers(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{0, 3} {
		simtest.RunReal(t, func(w *simtest.World) {
			w.Cluster.On(containers.Match{}, containers.Script{Run: processEnds, Exit: containers.Exit{Code: code}})
			results := make([]*kontinue.PodResult, 6)
			var wg sync.WaitGroup
			for i := range results {
				s := simtest.Script("step", "true")
				s.Until = kontinue.Until(i % 3)
				ktx := w.Worker().ExecutionContext()
				wg.Go(func() {
					var err error
					results[i], err = kontinue.RunScript(ktx, s)
					require.NoError(w, err)
				})
			}
			wg.Wait()
			for _, r := range results {
				requireSameResult(t, results[0], r)
			}
			w.RequireRanOnce(map[string]int{"step": 1})
		})
	}
}

// TestEarlyEndInTheNextAttempt: a retry that begins when the step has its result and the
// Job no condition yet runs a failed step again, but never two runs at a time.
func TestEarlyEndInTheNextAttempt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		policy kontinue.ChildPolicy
		code   int32
		runs   int
	}{
		{kontinue.ChildPolicyNone, 0, 1}, {kontinue.ChildPolicyNone, 3, 1},
		{kontinue.ChildPolicyRetryFailed, 0, 1}, {kontinue.ChildPolicyRetryFailed, 3, 2},
		{kontinue.ChildPolicyRetryAll, 0, 2}, {kontinue.ChildPolicyRetryAll, 3, 2},
	} {
		simtest.RunReal(t, func(w *simtest.World) {
			w.Execution.ChildPolicy = tc.policy
			timed(w, w.Worker(), tc.code, 0)
			first := w.Jobs()["step"][0]
			require.False(t, endingOf(&first).Terminal)
			w.Execution.Attempts = 1
			r, _ := timed(w, w.Worker(), 0, 0)
			require.Equal(t, tc.runs == 1, r.Resumed())
			require.Len(t, w.Jobs()["step"], tc.runs)
			for _, job := range w.Jobs()["step"] {
				if job.UID == first.UID && tc.runs == 2 {
					ended := endingOf(&job)
					require.True(t, ended.Terminal)
					require.False(t, r.Times.Created.Before(ended.at.Truncate(time.Second)), "the runs overlap")
				}
			}
		})
	}
}

// TestEndOfTheExecutionAfterAnEarlyEnd: Finish leaves the Job to end by itself, and its TTL
// removes it then; Cancel stops it. The record stands.
func TestEndOfTheExecutionAfterAnEarlyEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*kontinue.Client, context.Context, kontinue.Execution) error{
		"Finish": (*kontinue.Client).Finish, "Cancel": (*kontinue.Client).Cancel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.RunReal(t, func(w *simtest.World) {
				w.Execution.TTL = &metav1.Duration{Duration: time.Minute}
				p := w.Worker()
				r, _ := timed(w, p, 0, 0)
				for range 3 {
					require.NoError(t, end(p.Client, w.Context(), w.Execution))
				}
				require.Less(t, untilTerminal(w), 5*time.Second)
				require.Equal(t, name == "Cancel", status(w).Failed)
				again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
				require.NoError(t, err)
				requireSameResult(t, r, again)
				w.Sleep(2 * time.Minute)
				require.Len(t, w.Jobs()["step"], map[string]int{"Finish": 0, "Cancel": 1}[name])
			})
		})
	}
}

// TestFinishOfAJobOnADeadNode: the pod of a recorded Job never becomes final, since its
// node has died in that second. The deadline that Finish sets ends the Job, and the TTL
// removes it.
func TestFinishOfAJobOnADeadNode(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Execution.TTL = &metav1.Duration{Duration: time.Minute}
		p := w.Worker()
		timed(w, p, 0, 0)
		require.NoError(t, w.Cluster.KillNode(w.Context(), w.Pods()[0].Spec.NodeName))
		require.NoError(t, p.Client.Finish(w.Context(), w.Execution))
		job := w.Jobs()["step"][0]
		require.NotNil(t, job.Spec.ActiveDeadlineSeconds)
		require.InDelta(t, 60+30, *job.Spec.ActiveDeadlineSeconds, 5)
	})
}

// TestCrashAtAnEarlyEnd kills the worker at each of its requests, before and after the API
// server has carried it out. The next one returns what the step has been, once.
func TestCrashAtAnEarlyEnd(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{0, 3} {
		for _, before := range []bool{true, false} {
			for _, pause := range []time.Duration{0, 500 * time.Millisecond, time.Minute} {
				simtest.RunReal(t, func(w *simtest.World) {
					w.Cluster.On(containers.Match{}, containers.Script{Run: processEnds, Exit: containers.Exit{Code: code}})
					p := w.Worker()
					ktx := p.ExecutionContext()
					p.KillAt(2, before)
					_, err := kontinue.RunScript(ktx, simtest.Script("step", "true"))
					require.ErrorIs(t, err, simtest.ErrKilled)
					w.Sleep(pause)
					r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
					require.NoError(t, err)
					require.Equal(t, code == 0, r.Succeeded())
					require.Equal(t, code, simtest.ExitCode(r))
					w.RequireRanOnce(map[string]int{"step": 1})
				})
			}
		}
	}
}

// TestWhatOthersDoAtAnEarlyEnd changes pod or Job in the second in which the containers
// have terminated and the phase is not final, before the worker has seen either.
func TestWhatOthersDoAtAnEarlyEnd(t *testing.T) {
	t.Parallel()
	patch := func(w *simtest.World, text string) {
		job := w.Jobs()["step"][0]
		_, err := w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), job.Name, types.MergePatchType, []byte(text), metav1.PatchOptions{})
		require.NoError(w, err)
	}
	for name, tc := range map[string]struct {
		act  func(w *simtest.World)
		want bool // it succeeds; the pod had ended
	}{
		"the pod is deleted": {func(w *simtest.World) {
			require.NoError(w, w.Admin().CoreV1().Pods("ns").Delete(w.Context(), w.Pods()[0].Name, metav1.DeleteOptions{}))
		}, true},
		"the Job is suspended": {func(w *simtest.World) {
			patch(w, `{"spec":{"suspend":true}}`)
			time.AfterFunc(10*time.Second, func() { patch(w, `{"spec":{"suspend":false}}`) })
		}, true},
		"the deadline is over": {func(w *simtest.World) { patch(w, `{"spec":{"activeDeadlineSeconds":30}}`) }, false},
		"nothing":              {func(*simtest.World) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.RunReal(t, func(w *simtest.World) {
				time.AfterFunc(terminated+100*time.Millisecond, func() { tc.act(w) })
				w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, e watch.Event) (bool, time.Duration) {
					pod, ok := e.Object.(*corev1.Pod)
					held := ok && i.User == "worker-1" && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil &&
						len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].State.Terminated != nil
					return true, map[bool]time.Duration{true: 300 * time.Millisecond}[held]
				})
				r, _ := timed(w, w.Worker(), 0, 0)
				untilTerminal(w)
				if tc.want {
					require.True(t, r.Succeeded(), r.Message)
				}
				require.Equal(t, !status(w).Failed, r.Succeeded(), "%s: %s", status(w).Reason, r.Message)
				require.Len(t, w.Jobs()["step"], 1)
				require.LessOrEqual(t, len(w.Pods()), 1, "nothing ran twice")
			})
		})
	}
}

// mesh has the cluster inject a container before that of the step, which runs for an hour.
func mesh(w *simtest.World) {
	w.Cluster.On(containers.Match{Container: "mesh"}, containers.Script{Run: time.Hour})
	w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		if pod, ok := a.Object.(*corev1.Pod); ok && a.Verb == "create" {
			pod.Spec.Containers = append([]corev1.Container{{Name: "mesh", Image: "mesh:1"}}, pod.Spec.Containers...)
		}
		return nil
	})
}

// TestInjectedContainerDoesNotHoldAStep: a container that only the cluster knows of, first
// in the list, runs for an hour. The step's result does not wait for it, and its Job is
// stopped, also if no worker is running.
func TestInjectedContainerDoesNotHoldAStep(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{0, 3} {
		t.Run(fmt.Sprint("exit code ", code), func(t *testing.T) {
			t.Parallel()
			simtest.RunReal(t, func(w *simtest.World) {
				mesh(w)
				p := w.Worker()
				r, after := timed(w, p, code, 0)
				p.Kill()
				want := terminated
				if code != 0 {
					want += 30 * time.Second
				}
				require.InDelta(t, want.Seconds(), after.Seconds(), 0.1)
				require.Equal(t, code == 0, r.Succeeded(), r.Message)
				if exit := (*kontinue.ExitError)(nil); code != 0 && errors.As(r.Err(), &exit) {
					require.Equal(t, "script", exit.Container)
					require.Equal(t, code, exit.ExitCode)
					require.Equal(t, "Error", exit.Reason)
				} else {
					require.NoError(t, r.Err())
				}
				require.Equal(t, map[bool]corev1.PodPhase{true: "Succeeded", false: "Failed"}[code == 0], r.Phase)
				deadline := w.Jobs()["step"][0].Spec.ActiveDeadlineSeconds
				require.NotNil(t, deadline)
				require.InDelta(t, after.Seconds()+30, *deadline, 3)
				require.LessOrEqual(t, untilTerminal(w), 2*time.Minute)
				again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
				require.NoError(t, err)
				requireSameResult(t, r, again)
				require.Len(t, w.Jobs()["step"], 1)
			})
		})
	}
}

// TestInjectedContainerKeepsTheTimeout: the deadline of the record never prolongs one that
// the Job has.
func TestInjectedContainerKeepsTheTimeout(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		mesh(w)
		w.Cluster.On(containers.Match{Container: "script"}, containers.Script{Run: time.Minute})
		s := simtest.Script("step", "true")
		s.Timeout = 70 * time.Second
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), s)
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.Equal(t, int64(70), *w.Jobs()["step"][0].Spec.ActiveDeadlineSeconds)
	})
}

// TestNextStepUnderAQuota: a quota has room for one pod, which that of a step that has
// returned still takes. The next step starts when the pod is final, without an error.
func TestNextStepUnderAQuota(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		_, err := w.Admin().CoreV1().ResourceQuotas("ns").Create(w.Context(), &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "one"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		ktx := w.Worker().ExecutionContext()
		for i := range 5 {
			r, err := kontinue.RunScript(ktx, simtest.Script(fmt.Sprint("part-", i), "true"))
			require.NoError(t, err)
			require.True(t, r.Succeeded(), r.Message)
		}
		require.Len(t, w.Jobs(), 5)
	})
}

// TestRunJobWaitsForItsCondition: a Job may have several pods.
func TestRunJobWaitsForItsCondition(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: processEnds})
		job := &kontinue.JobOptions{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "a:1"}}}}}}
		job.Name, job.Spec.BackoffLimit = "step", new(int32(0))
		r, err := kontinue.RunJob(w.Worker().ExecutionContext(), job)
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.True(t, status(w).Terminal)
		require.Equal(t, r.Pods[0].Times.Ended, r.Times.Started.Add(processEnds))
		require.False(t, r.Times.Created.IsZero() || r.Times.Scheduled.IsZero() || r.Times.Ended.Before(r.Pods[0].Times.Ended))
		job.Until = kontinue.UntilPod
		_, err = kontinue.RunJob(w.Worker().ExecutionContext(), job)
		require.ErrorIs(t, err, kontinue.ErrInvalid)
	})
}
