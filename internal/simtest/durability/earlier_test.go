package durability_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
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

// TestRecordOfAnEarlierAttempt: the workers of attempt 1 wait for a run, which a worker of
// attempt 0 that is still alive records first. Then the policy decides, as it does for a
// worker of attempt 1 that begins after that. All of them get the same result, and so does
// a resume.
func TestRecordOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	for name, race := range races {
		for _, tc := range []struct {
			policy kontinue.ChildPolicy
			code   int32 // of the first run
			again  bool
		}{
			{kontinue.ChildPolicyNone, 4, false},
			{kontinue.ChildPolicyRetryFailed, 4, true},
			{kontinue.ChildPolicyRetryFailed, 0, false},
			{kontinue.ChildPolicyRetryAll, 4, true},
			{kontinue.ChildPolicyRetryAll, 0, true},
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
						want, runs := zombie, 1
						if tc.again {
							want, runs = saw[0], 2
							require.Contains(w, want, "exit=9")
						}
						for i, p := range newer {
							require.Equal(w, want, saw[i])
							p.Kill()
						}
						// The attempt itself resumes, then the zombie, then the attempt again.
						for _, attempt := range []int{1, 0, 1} {
							p := workerOf(w, attempt)
							require.Equal(w, want, digest(kontinue.RunScript(p.ExecutionContext(), simtest.Script("slow", "true"))), "attempt %d", attempt)
							require.Zero(w, p.Requests("patch")+p.Requests("create"))
						}
						require.Equal(w, records.texts[0], w.Jobs()["slow"][0].Annotations[outcomeAnnotation])
						require.Equal(w, runs, slow.count())
						_, err := kontinue.RunScript(workerOf(w, 2).ExecutionContext(), simtest.Script("slow", "true"))
						require.NoError(w, err)
						if tc.again {
							runs++
						}
						require.Equal(w, runs, slow.count())
					})
				})
			}
		}
	}
}

// TestWorkersOfAnAttemptAgree: a worker of attempt 1 waits for a run that a worker of
// attempt 0 records. Another worker of attempt 1 begins between that record and the
// result of the first one. Both return the result of the same run.
func TestWorkersOfAnAttemptAgree(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
		slow := newPlay(w, "slow", time.Minute, 4, 9)
		call := func(attempt int) (user string, result chan string) {
			result = make(chan string, 1)
			p := workerOf(w, attempt)
			ktx := p.ExecutionContext()
			go func() { result <- digest(kontinue.RunScript(ktx, simtest.Script("slow", "true"))) }()
			return p.User, result
		}
		_, earlier := call(0)
		w.Sleep(10 * time.Second)
		user, first := call(1)
		w.Sleep(10 * time.Second)
		w.Cluster.APIServer().AddFault(apiserver.Fault{
			Match: apiserver.Match{User: user, Verb: "patch", Resource: "jobs"}, Times: 1, Delay: 20 * time.Second,
		})
		require.Contains(w, <-earlier, "exit=4")
		w.Sleep(5 * time.Second)
		_, second := call(1)
		require.Contains(w, <-second, "exit=9")
		require.Contains(w, <-first, "exit=9")
		require.Equal(w, 2, slow.count())
	})
}

// TestEarlierAttemptsJobIsDeleted: the Job is deleted after it was recorded and before the
// worker of attempt 1 observes its end or that of its pod. Nothing that this worker knows
// says how the Job ended.
func TestEarlierAttemptsJobIsDeleted(t *testing.T) {
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

// TestKnownRecordCostsNothing: a record that the plan has found is returned without any
// request except the LIST that found it.
func TestKnownRecordCostsNothing(t *testing.T) {
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
