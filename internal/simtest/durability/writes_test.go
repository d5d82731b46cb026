package durability_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// lostAnswers are the errors of requests without a response.
var lostAnswers = map[string]error{
	"connection lost": &url.Error{Op: "Post", URL: "https://cluster.test/", Err: io.ErrUnexpectedEOF},
	"timeout":         apierrors.NewTimeoutError("request did not complete within requested timeout", 0),
	"unavailable":     apierrors.NewServiceUnavailable("the server is shutting down"),
	"internal":        apierrors.NewInternalError(errors.New("etcdserver: request timed out")),
	"gateway":         apierrors.NewGenericServerResponse(504, "post", schema.GroupResource{Group: "batch", Resource: "jobs"}, "", "gateway", 0, true),
}

// TestWriteWhoseAnswerIsLost drops one or three writes of a kind, or the responses to
// them, of a worker that is not killed.
func TestWriteWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, lost := range lostAnswers {
		for _, verb := range []string{"create", "patch"} {
			for _, committed := range []bool{true, false} {
				for _, times := range []int{1, 3} {
					t.Run(fmt.Sprintf("%s, %s, committed=%t, %d times", name, verb, committed, times), func(t *testing.T) {
						t.Parallel()
						simtest.Run(t, func(w *simtest.World) {
							w.Cluster.On(containers.Match{}, containers.Script{Run: 10 * time.Second, Exit: containers.Exit{Code: 3}})
							p := w.Worker()
							fault := apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: verb, Resource: "jobs"}, Times: times, Before: lost}
							if committed {
								fault.Before, fault.After = nil, lost
							}
							w.Cluster.APIServer().AddFault(fault)
							r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("step", "exit 3"))
							require.NoError(t, err)
							require.Equal(t, int32(3), simtest.ExitCode(r))
							w.RequireRanOnce(map[string]int{"step": 1})
							again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "exit 3"))
							require.NoError(t, err)
							require.Equal(t, facts(r), facts(again))
							w.RequireRanOnce(map[string]int{"step": 1})
						})
					})
				}
			}
		}
	}
}

// jobOf returns the Job of the Execution's step, which a worker creates before it
// is killed.
func jobOf(w *simtest.World, step string, attempt int) *batchv1.Job {
	w.Helper()
	w.Execution.Attempts = attempt
	p := w.Worker()
	time.AfterFunc(5*time.Second, p.Kill)
	_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script(step, "exit 3"))
	require.ErrorIs(w, err, simtest.ErrKilled)
	jobs := w.Jobs()[step]
	return &jobs[len(jobs)-1]
}

// TestNameIsTaken: the create fails with AlreadyExists, and the worker's cache does
// not have the object of that name.
func TestNameIsTaken(t *testing.T) {
	t.Parallel()
	put := func(w *simtest.World, change func(*batchv1.Job)) {
		job := jobOf(w, "step", 0)
		clean := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			Name: job.Name, Labels: job.Labels, Annotations: job.Annotations, OwnerReferences: job.OwnerReferences,
		}, Spec: *job.Spec.DeepCopy()}
		clean.Spec.Selector, clean.Spec.Template.Labels = nil, map[string]string{"app": "foreign"}
		change(clean)
		require.NoError(w, w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)}))
		w.Sleep(time.Minute)
		_, err := w.Admin().BatchV1().Jobs("ns").Create(w.Context(), clean, metav1.CreateOptions{})
		require.NoError(w, err)
	}
	for name, tc := range map[string]struct {
		before func(w *simtest.World)
		want   error
		starts int // containers that were started, in all
	}{
		"own":                  {func(w *simtest.World) { jobOf(w, "step", 0) }, nil, 1},
		"own, of an older run": {func(w *simtest.World) { jobOf(w, "step", 0); w.Execution.Attempts = 3 }, nil, 1},
		"own, in deletion": {func(w *simtest.World) {
			job := jobOf(w, "step", 0)
			require.NoError(w, w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)}))
		}, nil, 2},
		"of another owner": {func(w *simtest.World) {
			owner, err := w.Cluster.CreateOwner(w.Context(), "ns", "another") // a missing one would be collected with its Job
			require.NoError(w, err)
			put(w, func(job *batchv1.Job) { job.OwnerReferences = []metav1.OwnerReference{owner} })
		}, kontinue.ErrNameConflict, 2},
		"without an owner": {func(w *simtest.World) {
			put(w, func(job *batchv1.Job) { job.OwnerReferences = nil })
		}, kontinue.ErrNameConflict, 2},
		"of another worker group": {func(w *simtest.World) {
			put(w, func(job *batchv1.Job) { job.Labels["kontinue.cloud/worker-group"] = "other" })
		}, kontinue.ErrNameConflict, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				var starts atomic.Int64
				w.Cluster.On(containers.Match{}, containers.Script{
					TermDelay: 10 * time.Second,
					Do: func(ctx context.Context, _ containers.Spec) containers.Exit {
						starts.Add(1)
						simtest.Sleep(ctx, time.Minute)
						return containers.Exit{Code: 3}
					},
				})
				p := w.Worker()
				w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: p.User})
				tc.before(w)
				r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("step", "exit 3"))
				if tc.want == nil {
					require.NoError(t, err)
					require.Equal(t, int32(3), simtest.ExitCode(r))
				} else {
					require.ErrorIs(t, err, tc.want)
					require.ErrorContains(t, err, "job ns/release-step-")
					require.Zero(t, p.Requests("patch")+p.Requests("delete"), "a foreign object is not touched")
				}
				require.Len(t, w.Jobs()["step"], 1)
				synctest.Wait()
				require.EqualValues(t, tc.starts, starts.Load())
			})
		})
	}
}

// TestRefusedByTheJobThatExists: admission precedes the check of the name, so a quota
// that the Job itself has exhausted hides that it exists. So does a webhook that denies
// the request or is down.
func TestRefusedByTheJobThatExists(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(w *simtest.World){
		"quota": func(w *simtest.World) {
			_, err := w.Admin().CoreV1().ResourceQuotas("ns").Create(w.Context(), &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "one-job"},
				Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("1")}},
			}, metav1.CreateOptions{})
			require.NoError(w, err)
		},
		"policy": func(w *simtest.World) {
			refuseJobs(w, apierrors.NewForbidden(batchv1.Resource("jobs"), "", errors.New("no Jobs allowed")))
		},
		"webhook is down": func(w *simtest.World) {
			refuseJobs(w, apierrors.NewInternalError(errors.New(`failed calling webhook "policy.test"`)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 3}})
				p := w.Worker()
				w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: p.User})
				jobOf(w, "step", 0)
				refuse(w)
				r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("step", "exit 3"))
				require.NoError(t, err)
				require.Equal(t, int32(3), simtest.ExitCode(r))
				w.RequireRanOnce(map[string]int{"step": 1})
			})
		})
	}
}

// refuseJobs lets every create of a Job fail with the error.
func refuseJobs(w *simtest.World, refusal error) {
	w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		if a.Resource == "jobs" && a.Verb == "create" {
			return refusal
		}
		return nil
	})
}

// TestRequestsOfAStep counts the requests of a step over many restarts: two writes
// in all, one LIST for each function that resumes after the step has ended, and no
// request from a worker that only waits.
func TestRequestsOfAStep(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Hour, Exit: containers.Exit{Code: 3}})
		writes, reads := 0, 0
		for restart := range 10 {
			p := w.Worker()
			time.AfterFunc(10*time.Minute, p.Kill)
			_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("step", "exit 3"))
			writes += p.Requests("create") + p.Requests("patch") + p.Requests("delete")
			reads += p.Requests("get") + p.Requests("list") - p.Lists
			if restart < 6 {
				require.ErrorIs(t, err, simtest.ErrKilled)
			} else {
				require.NoError(t, err)
			}
			if restart > 0 && restart < 6 {
				require.Zero(t, p.Requests(""), "a worker that only waits")
			}
		}
		require.Equal(t, 2, writes)
		require.Equal(t, 3, reads)
	})
}

// TestBadInputCostsNothing: a call that was rejected before any request does not make the
// next step read the Jobs.
func TestBadInputCostsNothing(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := w.Worker()
		ktx := p.ExecutionContext()
		_, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: "a", Timeout: -1}, Image: "alpine:3", Command: "true"})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		_, err = kontinue.RunScript(ktx, simtest.Script("a", "true"))
		require.NoError(t, err)
		require.Equal(t, 2, p.Requests(""), "the create and the record")
	})
}
