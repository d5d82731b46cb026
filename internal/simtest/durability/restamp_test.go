package durability_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/simtest"
)

const outcomeAnnotation = "kontinue.cloud/outcome"

// records are the records that successful requests have written on Jobs, in order.
type records struct {
	mu    sync.Mutex
	texts []string
}

func watchRecords(w *simtest.World) *records {
	r := &records{}
	w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		job, ok := a.Object.(*batchv1.Job)
		if !ok || a.Verb != "patch" {
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		text := job.Annotations[outcomeAnnotation]
		if len(r.texts) == 0 || r.texts[len(r.texts)-1] != text {
			r.texts = append(r.texts, text)
		}
		return nil
	})
	return r
}

// workerOf starts a worker of that attempt, and leaves the Execution in it.
func workerOf(w *simtest.World, attempt int) *simtest.Worker {
	w.Execution.Attempts = attempt
	return w.Worker()
}

// race is a way in which a worker of attempt 1 adopts a run that has no record yet
// and then finds that a worker of attempt 0 has recorded it first. The step takes
// a minute.
type race struct {
	// begins is when attempt 1 begins.
	begins time.Duration
	// disturb delays the workers of attempt 1. zombie is the worker of attempt 0,
	// and newer reports whether a user is a worker of attempt 1.
	disturb func(w *simtest.World, zombie string, newer func(user string) bool)
}

var races = map[string]race{
	// The watch shows the end and the record at the same time.
	"seen with the end": {10 * time.Second, func(w *simtest.World, _ string, newer func(string) bool) {
		began := time.Now()
		w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
			if !newer(i.User) || time.Since(began) < 30*time.Second {
				return true, 0
			}
			return i.Resource == "jobs", 90*time.Second - time.Since(began)
		})
	}},
	// The watch shows only the end, and the worker's own record is rejected.
	"found on recording": {10 * time.Second, func(w *simtest.World, _ string, newer func(string) bool) {
		w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, e watch.Event) (bool, time.Duration) {
			if !newer(i.User) {
				return true, 0
			}
			job, ok := e.Object.(*batchv1.Job)
			return !ok || job.Annotations[outcomeAnnotation] == "", 5 * time.Second
		})
	}},
	// The step ended before attempt 1 began. The record is written between the LIST
	// from which attempt 1 plans and its own record.
	"between list and record": {2*time.Minute - time.Second, func(w *simtest.World, zombie string, newer func(string) bool) {
		w.Cluster.APIServer().AddFault(apiserver.Fault{
			Match: apiserver.Match{User: zombie, Verb: "patch"}, Delay: time.Minute,
		})
		for n := range 10 {
			if user := fmt.Sprintf("worker-%d", n); newer(user) {
				w.Cluster.APIServer().AddFault(apiserver.Fault{
					Match: apiserver.Match{User: user, Verb: "patch", Resource: "jobs"}, Times: 1, Delay: 10 * time.Second,
				})
			}
		}
	}},
}

// run lets a worker of attempt 0 and n workers of attempt 1 wait for the same run
// of the step, which the former records first. It returns the digest that attempt
// 0 got, the workers of attempt 1, and the digest that each of those got.
func (r race) run(w *simtest.World, n int) (zombie string, newer []*simtest.Worker, saw []string) {
	w.Helper()
	old := workerOf(w, 0)
	r.disturb(w, old.User, func(user string) bool {
		return user == "worker-2" || n > 1 && user == "worker-3"
	})
	ended := make(chan string, 1)
	ktx := old.ExecutionContext()
	go func() { ended <- digest(kontinue.RunScript(ktx, simtest.Script("slow", "true"))) }()
	w.Sleep(r.begins)
	saw = make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		p := workerOf(w, 1)
		newer = append(newer, p)
		ktx := p.ExecutionContext()
		wg.Go(func() { saw[i] = digest(kontinue.RunScript(ktx, simtest.Script("slow", "true"))) })
	}
	wg.Wait()
	return <-ended, newer, saw
}

// TestRecordOfAnEarlierAttempt: a result that a worker of attempt 1 has returned is
// returned again after the worker has crashed and its function resumes, although a worker
// of attempt 0 that was still alive had recorded it. All workers get the same result.
func TestRecordOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	for name, race := range races {
		for _, tc := range []struct {
			policy kontinue.ChildPolicy
			code   int32 // of the first run
			raised bool
			next   int // runs after attempt 2
		}{
			{kontinue.ChildPolicyNone, 4, false, 1},
			{kontinue.ChildPolicyRetryFailed, 4, true, 2},
			{kontinue.ChildPolicyRetryFailed, 0, true, 1},
			{kontinue.ChildPolicyRetryAll, 4, true, 2},
			{kontinue.ChildPolicyRetryAll, 0, true, 2},
		} {
			if tc.policy == kontinue.ChildPolicyRetryAll && race.begins < time.Minute {
				continue // deletes the running Jobs
			}
			for _, workers := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s, %s, exit code %d, %d workers", name, tc.policy, tc.code, workers), func(t *testing.T) {
					t.Parallel()
					simtest.Run(t, func(w *simtest.World) {
						w.Execution.ChildPolicy = tc.policy
						slow, records := newPlay(w, "slow", time.Minute, tc.code, 9), watchRecords(w)
						zombie, newer, saw := race.run(w, workers)
						require.Contains(w, zombie, fmt.Sprintf("exit=%d", tc.code))
						require.Contains(w, records.texts[0], `{"v":1,"attempt":0,`, "the zombie was first")
						want := records.texts[0]
						if tc.raised {
							want = strings.Replace(want, `"attempt":0`, `"attempt":1`, 1)
						}
						record := func() string { return w.Jobs()["slow"][0].Annotations[outcomeAnnotation] }
						require.Equal(w, want, record())
						for i, p := range newer {
							require.Equal(w, zombie, saw[i])
							p.Kill()
						}
						// The attempt itself resumes, then the zombie, then the attempt again.
						for _, attempt := range []int{1, 0, 1} {
							p := workerOf(w, attempt)
							require.Equal(w, zombie, digest(kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))), "attempt %d", attempt)
							require.Zero(w, p.Requests("patch")+p.Requests("create"))
							require.Equal(w, want, record())
						}
						require.Equal(w, 1, slow.count())
						_, err := kontinue.RunScript(workerOf(w, 2).ExecutionContext(), simtest.Script("slow", "true"))
						require.NoError(w, err)
						require.Equal(w, tc.next, slow.count())
					})
				})
			}
		}
	}
}

// TestRestampIsDisturbed: the request that re-stamps the record conflicts with another
// writer, or its response is lost.
func TestRestampIsDisturbed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]apiserver.Fault{
		"nothing":         {Match: apiserver.Match{Verb: "none"}},
		"conflict":        {Match: apiserver.Match{Verb: "patch"}, Times: 2, Before: apierrors.NewConflict(batchv1.Resource("jobs"), "slow", errors.New("the object has been modified"))},
		"answer lost":     {Match: apiserver.Match{Verb: "patch"}, Times: 1, After: io.ErrUnexpectedEOF},
		"request lost":    {Match: apiserver.Match{Verb: "patch"}, Times: 3, Before: io.ErrUnexpectedEOF},
		"cannot be read":  {Match: apiserver.Match{Verb: "get"}, Times: 2, Before: apierrors.NewInternalError(errors.New("etcdserver: request timed out"))},
		"refused at last": {Match: apiserver.Match{Verb: "patch"}, Before: apierrors.NewForbidden(batchv1.Resource("jobs"), "slow", errors.New("no"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
				slow := newPlay(w, "slow", time.Minute, 4, 9)
				fault.User = "worker-2"
				undo := w.Cluster.APIServer().AddFault(fault)
				zombie, newer, saw := races["seen with the end"].run(w, 1)
				undo()
				if name == "refused at last" {
					// No result was returned, so the next attempt may run the step again.
					require.Contains(w, saw[0], "cannot be made a result of attempt 1")
					require.Contains(w, saw[0], "forbidden")
					return
				}
				require.Equal(w, zombie, saw[0])
				newer[0].Kill()
				p := workerOf(w, 1)
				require.Equal(w, zombie, digest(kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))))
				require.Equal(w, 1, slow.count())
				if name == "nothing" {
					require.Equal(w, []int{2, 1}, []int{newer[0].Requests("get"), newer[0].Requests("patch")}, "what the race costs")
				}
			})
		})
	}
}

// TestRestampOfADeletedJob: the Job is deleted after it was recorded and before the
// worker of attempt 1 observes its end or that of its pod. There is no record to
// re-stamp, and nothing that this worker knows says how the Job ended.
func TestRestampOfADeletedJob(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
		newPlay(w, "slow", time.Minute, 4, 9)
		time.AfterFunc(80*time.Second, func() {
			name := w.Jobs()["slow"][0].Name
			require.NoError(w, w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
		})
		zombie, newer, saw := races["seen with the end"].run(w, 1)
		require.Contains(w, zombie, "exit=4")
		require.Len(w, saw, 1)
		require.Contains(w, saw[0], "was deleted before its end was known")
		require.Empty(w, w.Jobs())
		require.Zero(w, newer[0].Requests("patch"))
	})
}

// TestRestampCostsNothing: a record that the plan has found is returned without any
// request except the LIST that found it.
func TestRestampCostsNothing(t *testing.T) {
	t.Parallel()
	for _, policy := range []kontinue.ChildPolicy{kontinue.ChildPolicyNone, kontinue.ChildPolicyRetryFailed} {
		simtest.Run(t, func(w *simtest.World) {
			w.Execution.ChildPolicy = policy
			slow := newPlay(w, "slow", time.Minute, 0)
			for attempt, requests := range []int{2, 1, 1} {
				p := workerOf(w, attempt)
				_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))
				require.NoError(w, err)
				require.Equal(w, requests, p.Requests(""), "%s, attempt %d", policy, attempt)
			}
			require.Equal(w, 1, slow.count())
		})
	}
}
