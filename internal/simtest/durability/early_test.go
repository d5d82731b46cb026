package durability_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
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
