package durability_test

import (
	"context"
	"testing"
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

// queue suspends every Job that it finds running, as a queue does to Jobs that it has
// not admitted, until end is called.
func queue(w *simtest.World) (end func()) {
	w.Helper()
	jobs := w.Admin().BatchV1().Jobs("ns")
	events, err := jobs.Watch(w.Context(), metav1.ListOptions{})
	require.NoError(w, err)
	suspend := func(job *batchv1.Job) {
		if job.Spec.Suspend != nil && !*job.Spec.Suspend {
			job.Spec.Suspend = new(true)
			_, _ = jobs.Update(w.Context(), job, metav1.UpdateOptions{}) // a conflict is followed by an event
		}
	}
	for _, list := range w.Jobs() {
		for i := range list {
			suspend(&list[i])
		}
	}
	go func() {
		for e := range events.ResultChan() {
			if job, ok := e.Object.(*batchv1.Job); ok {
				suspend(job)
			}
		}
	}()
	return events.Stop
}

func queued(suspended bool) *kontinue.JobOptions {
	return &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: "a"}, Spec: batchv1.JobSpec{
		Suspend:  &suspended,
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
	}}
}

// TestCancelOfAJobThatAQueueHolds: a queue suspends each Job again whenever it is
// resumed. A canceled Job has ended when nothing of it runs: its waits end, a resume
// has the same result, and no policy waits for the queue.
func TestCancelOfAJobThatAQueueHolds(t *testing.T) {
	t.Parallel()
	for name, running := range map[string]bool{"never admitted": false, "running, then held": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour, TermDelay: 20 * time.Second})
				p := w.Worker()
				time.AfterFunc(24*time.Hour, p.Kill)
				end := func() {}
				if !running {
					end = queue(w)
				}
				type result struct {
					r   *kontinue.JobResult
					err error
				}
				ended := make(chan result, 1)
				go func() {
					r, err := kontinue.RunJob(p.ExecutionContext(), queued(!running))
					ended <- result{r, err}
				}()
				w.Sleep(time.Minute)
				if running {
					end = queue(w)
				}
				canceled := time.Now()
				require.NoError(t, p.Client.Cancel(w.Context(), w.Execution))
				first := <-ended
				require.NoError(t, first.err)
				require.ErrorIs(t, first.r.Err(), kontinue.ErrCanceled)
				require.NotErrorIs(t, first.r.Err(), kontinue.ErrDeadlineExceeded)
				require.Less(t, time.Since(canceled), time.Minute)
				requireNoPodRuns(w)
				require.True(t, *w.Jobs()["a"][0].Spec.Suspend, "the queue holds it")

				require.NoError(t, p.Client.Cancel(w.Context(), w.Execution), "it may be called again")
				again, err := kontinue.RunJob(w.Worker().ExecutionContext(), queued(!running))
				require.NoError(t, err)
				require.Equal(t, first.r.Err().Error(), again.Err().Error())

				// The queue lets go of it: nothing may start.
				w.Sleep(time.Second) // it has reacted to the Cancel
				end()
				pods := len(w.Pods())
				require.NoError(t, p.Client.Cancel(w.Context(), w.Execution), "the second one resumes it")
				w.Sleep(time.Minute)
				require.Len(t, w.Pods(), pods)
				requireNoPodRuns(w)
				last := w.Jobs()["a"][0].Status.Conditions
				require.Equal(t, batchv1.JobFailed, last[len(last)-1].Type)
			})
		})
	}
}

// TestRetryAfterAHeldJob: the Job of the canceled attempt is still held when the next
// attempt runs the step again.
func TestRetryAfterAHeldJob(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := w.Worker()
		end := queue(w)
		time.AfterFunc(time.Minute, func() { _ = p.Client.Cancel(w.Context(), w.Execution) })
		r, err := kontinue.RunJob(p.ExecutionContext(), queued(true))
		require.NoError(t, err)
		require.ErrorIs(t, r.Err(), kontinue.ErrCanceled)
		end()
		w.Execution.Attempts, w.Execution.ChildPolicy = 1, kontinue.ChildPolicyRetryFailed
		began := time.Now()
		r, err = kontinue.RunJob(w.Worker().ExecutionContext(), queued(false))
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.Less(t, time.Since(began), time.Minute)
		require.Len(t, w.Jobs()["a"], 2)
	})
}

// TestCancelOfAJobThatGoes: a canceled Job that is deleted before it has ended is
// canceled, and deleted.
func TestCancelOfAJobThatGoes(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour, IgnoreTERM: true})
		p := w.Worker()
		time.AfterFunc(time.Minute, func() {
			require.NoError(w, p.Client.Cancel(w.Context(), w.Execution))
			w.Sleep(5 * time.Second)
			for _, job := range w.Jobs()["a"] {
				require.NoError(w, w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
			}
		})
		_, err := kontinue.RunJob(p.ExecutionContext(), queued(false))
		require.ErrorIs(t, err, kontinue.ErrCanceled)
		require.ErrorIs(t, err, kontinue.ErrJobDeleted)
	})
}

// TestCancelWhileACreateIsUnderWay: admission holds a create up for longer than the
// function's context lives. Cancel and Finish reach the Job all the same.
func TestCancelWhileACreateIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end    func(w *simtest.World, p *simtest.Worker) error
		verify func(t *testing.T, job *batchv1.Job)
	}{
		"Cancel": {
			end: func(w *simtest.World, p *simtest.Worker) error { return p.Client.Cancel(w.Context(), w.Execution) },
			verify: func(t *testing.T, job *batchv1.Job) {
				t.Helper()
				require.NotEmpty(t, job.Status.Conditions)
				require.Equal(t, batchv1.JobFailed, job.Status.Conditions[len(job.Status.Conditions)-1].Type)
				require.Zero(t, job.Status.Failed, "no pod of it was made, or it was stopped at once")
			},
		},
		"Finish": {
			end: func(w *simtest.World, p *simtest.Worker) error {
				x := w.Execution
				x.TTL = &metav1.Duration{Duration: time.Hour}
				return p.Client.Finish(w.Context(), x)
			},
			verify: func(t *testing.T, job *batchv1.Job) {
				t.Helper()
				require.Equal(t, int32(3600), *job.Spec.TTLSecondsAfterFinished)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour})
				w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
					if a.Verb == "create" && a.Resource == "jobs" {
						<-time.After(5 * time.Second)
					}
					return nil
				})
				p := w.Worker()
				time.AfterFunc(time.Second, func() { p.Cancel(nil) })
				began := time.Now()
				_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorContains(t, err, "a resume will find it")
				require.Equal(t, time.Second, time.Since(began), "the call does not wait for the answer")
				require.Empty(t, w.Jobs())
				require.NoError(t, tc.end(w, p))
				w.Sleep(time.Minute)
				tc.verify(t, &w.Jobs()["a"][0])
			})
		})
	}
}
