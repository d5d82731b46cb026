package durability_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// withTTL returns a Job whose own spec has that TTL, in seconds.
func withTTL(name string, ttl *int32) *kontinue.JobOptions {
	return &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: name}, Spec: batchv1.JobSpec{
		TTLSecondsAfterFinished: ttl,
		Template:                corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
	}}
}

// TestTTLBeginsWithFinish: whatever the spec says, no Job is deleted before Finish,
// even if no worker runs for days. After Finish the cluster deletes it.
func TestTTLBeginsWithFinish(t *testing.T) {
	t.Parallel()
	away := 25 * time.Hour
	for name, tc := range map[string]struct {
		own      *int32
		ttl      *metav1.Duration
		goneWith time.Duration // counted from Finish; 0: never
	}{
		"own TTL of 0":                         {new(int32(0)), nil, time.Second},
		"own TTL":                              {new(int32(60)), &metav1.Duration{Duration: time.Hour}, time.Second},
		"the Execution's":                      {nil, &metav1.Duration{Duration: away + time.Hour}, time.Hour},
		"own before the Execution's":           {new(int32((away + 2*time.Hour).Seconds())), &metav1.Duration{}, 2 * time.Hour},
		"the Execution's, rounded up":          {nil, &metav1.Duration{Duration: time.Millisecond}, time.Second},
		"neither":                              {nil, nil, 0},
		"the owner goes before the TTL is set": {new(int32(0)), nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Execution.TTL = tc.ttl
				p := w.Worker()
				live, err := kontinue.RunJob(p.ExecutionContext(), withTTL("step", tc.own))
				require.NoError(t, err)
				p.Kill()
				w.Sleep(away)
				p = w.Worker()
				resumed, err := kontinue.RunJob(p.ExecutionContext(), withTTL("step", tc.own))
				require.NoError(t, err)
				require.Equal(t, live.SucceededPods, resumed.SucceededPods)
				w.RequireRanOnce(map[string]int{"step": 1})

				if tc.goneWith < 0 {
					w.Cluster.DeleteOwner(w.Execution.Owner.UID)
					w.Sleep(time.Minute)
					require.Empty(t, w.Jobs())
					require.NoError(t, p.Client.Finish(w.Context(), w.Execution))
					return
				}
				for range 2 { // a worker that dies in Finish calls it again
					require.NoError(t, p.Client.Finish(w.Context(), w.Execution))
				}
				if tc.goneWith == 0 {
					w.Sleep(away)
					require.Len(t, w.Jobs(), 1)
					return
				}
				if tc.goneWith > time.Minute {
					w.Sleep(tc.goneWith - time.Minute)
					require.Len(t, w.Jobs(), 1, "gone too early")
					w.Sleep(time.Minute)
				}
				w.Sleep(time.Minute)
				require.Empty(t, w.Jobs())
				require.Empty(t, w.Pods())
			})
		})
	}
}

// TestFinishWhileAJobRuns: the TTL counts from the end of the Job.
func TestFinishWhileAJobRuns(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
		p := w.Worker()
		w.Execution.TTL = &metav1.Duration{Duration: time.Minute}
		time.AfterFunc(10*time.Second, func() { require.NoError(t, p.Client.Finish(w.Context(), w.Execution)) })
		r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("long", "sleep 3600"))
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.Len(t, w.Jobs(), 1)
		w.Sleep(2 * time.Minute)
		require.Empty(t, w.Jobs())
	})
}

// TestKilledInFinish kills the worker at each request of a Finish.
func TestKilledInFinish(t *testing.T) {
	t.Parallel()
	const steps = 5
	for n := 1; n <= 1+steps; n++ { // a list, and a patch for each
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("request %d, before=%t", n, before), func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					p := w.Worker()
					ktx := p.ExecutionContext()
					for i := range steps {
						_, err := kontinue.RunJob(ktx, withTTL(fmt.Sprintf("s%d", i), new(int32(3600))))
						require.NoError(t, err)
					}
					p.KillAt(n, before)
					require.Error(t, p.Client.Finish(p.Ctx, w.Execution))
					require.NoError(t, w.Worker().Client.Finish(w.Context(), w.Execution))
					for step, jobs := range w.Jobs() {
						require.Equal(t, int32(3600), *jobs[0].Spec.TTLSecondsAfterFinished, step)
					}
					require.Len(t, w.Jobs(), steps)
				})
			})
		}
	}
}

// setsTTL is an admission policy that sets a TTL at the create of a Job and, if always,
// at each change.
func setsTTL(seconds int32, always bool) func(context.Context, *apiserver.Attributes) error {
	return func(_ context.Context, a *apiserver.Attributes) error {
		if job, ok := a.Object.(*batchv1.Job); ok && (always || a.Verb == "create") {
			job.Spec.TTLSecondsAfterFinished = &seconds
		}
		return nil
	}
}

// TestTTLOfAPolicyIsTakenBack: a worker that restarts after the TTL has passed finds the
// result.
func TestTTLOfAPolicyIsTakenBack(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.APIServer().AddAdmission(setsTTL(60, false))
		p := w.Worker()
		r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		require.Empty(w, r.Mutations())
		p.Kill()
		w.Sleep(2 * time.Minute)
		r, err = kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(w, err)
		require.True(w, r.Resumed())
		w.RequireRanOnce(map[string]int{"a": 1})
	})
}

// TestJobThatVanishedKeepsItsEnd has an admission policy that sets a TTL of 0, again and
// again, so that each Job is deleted as soon as it has ended, whether it is recorded or
// not. The result says so.
func TestJobThatVanishedKeepsItsEnd(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]time.Duration{
		"recorded in time": 0, "gone before the record": 5 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 5 * time.Second, Exit: containers.Exit{Code: 6}})
				w.Cluster.APIServer().AddAdmission(setsTTL(0, true))
				p := w.Worker()
				w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: "patch"}, Delay: slow})
				r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("fleeting", "exit 6"))
				require.NoError(t, err)
				require.False(t, r.Succeeded())
				require.Contains(t, r.Message, "exit code 6")
				require.Len(t, r.Mutations(), 1)
				require.Contains(t, r.Mutations()[0], "ttlSecondsAfterFinished: 0 -> unset")
				w.Sleep(time.Minute)
				require.Empty(t, w.Jobs())
			})
		})
	}
}

// TestOwnerDeleted: Jobs and pods are deleted with the owner, and the waits end
// with an error that says so.
func TestOwnerDeleted(t *testing.T) {
	t.Parallel()
	for name, pending := range map[string]time.Duration{"pending": time.Hour, "running": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Unschedulable: pending, Run: time.Hour})
				w.Cluster.On(containers.Match{Step: "ended"}, containers.Script{})
				p := w.Worker()
				ktx := p.ExecutionContext()
				_, err := kontinue.RunScript(ktx, simtest.Script("ended", "true"))
				require.NoError(t, err)
				errs := make(chan error, 3)
				for i := range cap(errs) {
					go func() {
						_, err := kontinue.RunScript(ktx, simtest.Script(fmt.Sprintf("waits-%d", i), "sleep 3600"))
						errs <- err
					}()
				}
				w.Sleep(10 * time.Second)
				synctest.Wait()
				require.Len(t, w.Jobs(), 1+cap(errs))
				began := time.Now()
				w.Cluster.DeleteOwner(w.Execution.Owner.UID)
				for range cap(errs) {
					err := <-errs
					require.ErrorIs(t, err, kontinue.ErrJobDeleted)
					require.ErrorContains(t, err, "was deleted before its end was known, with its Execution, with its namespace or by hand")
				}
				require.Less(t, time.Since(began), time.Minute)
				w.Sleep(time.Minute)
				require.Empty(t, w.Jobs())
				require.Empty(t, w.Pods())
			})
		})
	}
}
