package kontinue_test

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
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// withTTL is a Job whose own spec wants it gone that many seconds after its end.
func withTTL(name string, ttl *int32) *kontinue.JobOptions {
	return &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: name}, Spec: batchv1.JobSpec{
		TTLSecondsAfterFinished: ttl,
		Template:                corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
	}}
}

// TestTTLBeginsWithFinish: whatever the spec says, nothing removes a Job before
// Finish, also if the worker is away for days; after it the cluster does.
func TestTTLBeginsWithFinish(t *testing.T) {
	t.Parallel()
	away := 36 * time.Hour
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
			inWorld(t, func(w *world) {
				w.execution.TTL = tc.ttl
				p := w.worker()
				live, err := kontinue.RunJob(p.context(), withTTL("step", tc.own))
				require.NoError(t, err)
				p.kill()
				after(w.Context(), away)
				p = w.worker()
				resumed, err := kontinue.RunJob(p.context(), withTTL("step", tc.own))
				require.NoError(t, err)
				require.Equal(t, live.SucceededPods, resumed.SucceededPods)
				w.ranOnce(map[string]int{"step": 1})

				if tc.goneWith < 0 {
					w.cluster.DeleteOwner(w.execution.Owner.UID)
					after(w.Context(), time.Minute)
					require.Empty(t, w.jobs())
					require.NoError(t, p.client.Finish(w.Context(), w.execution))
					return
				}
				for range 2 { // a worker that dies in Finish calls it again
					require.NoError(t, p.client.Finish(w.Context(), w.execution))
				}
				if tc.goneWith == 0 {
					after(w.Context(), away)
					require.Len(t, w.jobs(), 1)
					return
				}
				if tc.goneWith > time.Minute {
					after(w.Context(), tc.goneWith-time.Minute)
					require.Len(t, w.jobs(), 1, "gone too early")
					after(w.Context(), time.Minute)
				}
				after(w.Context(), time.Minute)
				require.Empty(t, w.jobs())
				require.Empty(t, w.pods())
			})
		})
	}
}

// TestFinishWhileAJobRuns: the TTL is counted from the end of the Job.
func TestFinishWhileAJobRuns(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Hour})
		p := w.worker()
		w.execution.TTL = &metav1.Duration{Duration: time.Minute}
		time.AfterFunc(10*time.Second, func() { require.NoError(t, p.client.Finish(w.Context(), w.execution)) })
		r, err := kontinue.RunScript(p.context(), script("long", "sleep 3600"))
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.Len(t, w.jobs(), 1)
		after(w.Context(), 2*time.Minute)
		require.Empty(t, w.jobs())
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
				inWorld(t, func(w *world) {
					p := w.worker()
					ktx := p.context()
					for i := range steps {
						_, err := kontinue.RunJob(ktx, withTTL(fmt.Sprintf("s%d", i), new(int32(3600))))
						require.NoError(t, err)
					}
					p.killAt(n, before)
					require.Error(t, p.client.Finish(p.ctx, w.execution))
					require.NoError(t, w.worker().client.Finish(w.Context(), w.execution))
					for step, jobs := range w.jobs() {
						require.Equal(t, int32(3600), *jobs[0].Spec.TTLSecondsAfterFinished, step)
					}
					require.Len(t, w.jobs(), steps)
				})
			})
		}
	}
}

// TestJobThatVanishedKeepsItsEnd has an admission policy that gives each Job a
// TTL of no time, so that it goes when it has ended, recorded or not.
func TestJobThatVanishedKeepsItsEnd(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]time.Duration{
		"recorded in time": 0, "gone before the record": 5 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.cluster.On(kubelet.Match{}, kubelet.Script{Run: 5 * time.Second, Exit: kubelet.Exit{Code: 6}})
				w.cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
					if job, ok := a.Object.(*batchv1.Job); ok && a.Verb == "create" {
						job.Spec.TTLSecondsAfterFinished = new(int32(0))
					}
					return nil
				})
				p := w.worker()
				w.cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.user, Verb: "patch"}, Delay: slow})
				r, err := kontinue.RunScript(p.context(), script("fleeting", "exit 6"))
				require.NoError(t, err)
				require.False(t, r.Succeeded())
				require.Contains(t, r.Message, "exit code 6")
				after(w.Context(), time.Minute)
				require.Empty(t, w.jobs())
			})
		})
	}
}

// TestOwnerDeleted: everything goes with the owner, and the waits end with an
// error that says so.
func TestOwnerDeleted(t *testing.T) {
	t.Parallel()
	for name, pending := range map[string]time.Duration{"pending": time.Hour, "running": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.cluster.On(kubelet.Match{}, kubelet.Script{Unschedulable: pending, Run: time.Hour})
				w.cluster.On(kubelet.Match{Step: "ended"}, kubelet.Script{})
				p := w.worker()
				ktx := p.context()
				_, err := kontinue.RunScript(ktx, script("ended", "true"))
				require.NoError(t, err)
				errs := make(chan error, 3)
				for i := range cap(errs) {
					go func() {
						_, err := kontinue.RunScript(ktx, script(fmt.Sprintf("waits-%d", i), "sleep 3600"))
						errs <- err
					}()
				}
				after(w.Context(), 10*time.Second)
				synctest.Wait()
				require.Len(t, w.jobs(), 1+cap(errs))
				began := time.Now()
				w.cluster.DeleteOwner(w.execution.Owner.UID)
				for range cap(errs) {
					err := <-errs
					require.ErrorIs(t, err, kontinue.ErrJobDeleted)
					require.ErrorContains(t, err, "went away before it ended, with its Execution, with its namespace or by hand")
				}
				require.Less(t, time.Since(began), time.Minute)
				after(w.Context(), time.Minute)
				require.Empty(t, w.jobs())
				require.Empty(t, w.pods())
			})
		})
	}
}
