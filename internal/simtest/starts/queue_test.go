package starts_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// queued is a step of queue "main" whose container has a minute.
func queued(name string) *kontinue.ScriptOptions {
	o := simtest.Script(name, "true")
	o.Queue, o.Timeout = "main", time.Minute
	return o
}

// suspend is what a queue does to the Job of a step when it evicts it, or admits it.
func suspend(w *simtest.World, step string, on bool) {
	w.Helper()
	_, err := w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), w.Jobs()[step][0].Name, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, on), metav1.PatchOptions{})
	require.NoError(w, err)
}

// TestQueueDoesNotCount: a queue holds the Job for a day, evicts it just before its
// deadline, and holds it for another day, which the next worker waits for. Neither the
// Timeout nor a limit of the start counts meanwhile.
func TestQueueDoesNotCount(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: 55 * time.Second})
		p := w.Worker()
		time.AfterFunc(24*time.Hour, func() { suspend(w, "a", false) })
		time.AfterFunc(24*time.Hour+50*time.Second, func() { suspend(w, "a", true) })
		time.AfterFunc(36*time.Hour, p.Kill)
		time.AfterFunc(48*time.Hour, func() { suspend(w, "a", false) })
		o := queued("a")
		o.StartLimits = kontinue.StartLimits{"FailedCreate": 5 * time.Second, "ContainerCreating": 5 * time.Second}
		_, err := kontinue.RunScript(p.ExecutionContext(), o)
		require.ErrorIs(w, err, simtest.ErrKilled)
		began := time.Now()
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), o)
		require.NoError(w, err)
		require.NoError(w, r.Err())
		require.Empty(w, r.Drift())
		require.Empty(w, r.Mutations())
		require.InDelta(w, 12*time.Hour+55*time.Second, time.Since(began), float64(10*time.Second))
		require.Len(w, w.Jobs()["a"], 1)
	})
}

// TestControllerThatIsBehindTheQueue: the Job controller has not seen the Job when the
// queue admits it, so that nothing says since when it may start.
func TestControllerThatIsBehindTheQueue(t *testing.T) {
	t.Parallel()
	for name, behind := range map[string]time.Duration{"in time": 9 * time.Minute, "too late": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				match := apiserver.WatchMatch{User: fakecluster.ControllerUser, Resource: "jobs"}
				w.Cluster.APIServer().StallWatches(match)
				time.AfterFunc(2*time.Hour, func() { suspend(w, "a", false) })
				time.AfterFunc(2*time.Hour+behind, func() { w.Cluster.APIServer().ResumeWatches(match) })
				began := time.Now()
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), queued("a"))
				require.NoError(w, err)
				if behind < 10*time.Minute {
					require.NoError(w, r.Err())
					return
				}
				requireGivenUp(w, r, "FailedCreate", "gave up after 10m0s")
				require.Greater(w, time.Since(began), 2*time.Hour+10*time.Minute)
			})
		})
	}
}

// reasons runs the test in a cluster with Kueue's Workloads.
func reasons(t *testing.T, version string, test func(w *simtest.World)) {
	t.Helper()
	o := fakecluster.Options{}
	o.APIServer.Kinds = []apiserver.Kind{{Group: "kueue.x-k8s.io", Version: version, Kind: "Workload"}}
	simtest.RunWith(t, o, test)
}

// explain creates the Workload of a step's Job, or of a later admission of it.
func explain(w *simtest.World, version, step, message string) {
	w.Helper()
	job := w.Jobs()[step][0]
	body, err := json.Marshal(map[string]any{
		"apiVersion": "kueue.x-k8s.io/" + version, "kind": "Workload",
		"metadata": map[string]any{"generateName": step, "namespace": "ns", "labels": map[string]string{"kueue.x-k8s.io/job-uid": string(job.UID)}},
		"status": map[string]any{"conditions": []metav1.Condition{{
			Type: "QuotaReserved", Status: metav1.ConditionFalse, Reason: "Pending", Message: message, LastTransitionTime: metav1.Now(),
		}}},
	})
	require.NoError(w, err)
	require.NoError(w, w.Admin().CoreV1().RESTClient().Post().AbsPath("apis/kueue.x-k8s.io", version, "namespaces/ns/workloads").
		SetHeader("Content-Type", "application/json").Body(body).Do(w.Context()).Error())
}

// TestQueueReason: the reason is read once in each time in which the queue holds the Job,
// and not at all if that is short.
func TestQueueReason(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1beta1", "v1beta2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			reasons(t, version, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: containers.Forever})
				var mu sync.Mutex
				var reported []string
				client, _ := w.NewClient("worker", func(c *kontinue.Config) {
					c.OnProgress = func(p kontinue.Progress) {
						mu.Lock()
						defer mu.Unlock()
						reported = append(reported, strings.TrimSpace(fmt.Sprintf("%s %s %s", p.State, p.Reason, p.Message)))
					}
				})
				require.NoError(w, client.Start(w.Context()))
				ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
				require.NoError(w, err)
				step, err := kontinue.StartScript(ktx, queued("a"))
				require.NoError(w, err)
				explain(w, version, "a", "1 more\x1b[31m needed")
				read := func() int { return w.Cluster.APIServer().Stats().Count("worker", "list", "workloads") }
				w.Sleep(20 * time.Second)
				require.Zero(w, read())
				require.Equal(w, "JobSuspended", step.Progress().Reason)
				w.Sleep(24 * time.Hour)
				require.Equal(w, "1 more needed", step.Progress().Message)
				first := read()
				require.LessOrEqual(w, first, 2, "one for each version")

				suspend(w, "a", false) // and evicted at once, after another while
				w.Sleep(5 * time.Second)
				require.Equal(w, kontinue.StepRunning, step.Progress().State)
				suspend(w, "a", true)
				w.Sleep(10 * time.Second)
				require.Equal(w, "JobSuspended", step.Progress().Reason, "not that of the time before")
				explain(w, version, "a", "preempted")
				suspend(w, "a", false)
				w.Sleep(10 * time.Second)
				suspend(w, "a", true)
				w.Sleep(time.Hour)
				require.Equal(w, "preempted", step.Progress().Message)
				require.Equal(w, first+1, read())

				require.NoError(w, step.Cancel(w.Context()))
				r, err := step.Wait(w.Context())
				require.NoError(w, err)
				require.ErrorIs(w, r.Err(), kontinue.ErrCanceled)
				mu.Lock()
				defer mu.Unlock()
				for _, want := range []string{"Suspended JobSuspended Job suspended", "Suspended Pending 1 more needed", "Suspended Pending preempted"} {
					require.Contains(w, reported, want)
				}
			})
		})
	}
}

// TestManyHeldSteps: the reasons of many steps are read at a bounded rate, by none of the
// steps: a step that is admitted meanwhile ends as soon as its pod does, and Stop ends the
// reads.
func TestManyHeldSteps(t *testing.T) {
	t.Parallel()
	const steps = 300
	reasons(t, "v1beta2", func(w *simtest.World) {
		client, _ := w.NewClient("worker", nil)
		require.NoError(w, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(w, err)
		all := make([]*kontinue.Step[*kontinue.PodResult], steps)
		for i := range all {
			all[i], err = kontinue.StartScript(ktx, queued("s"+strconv.Itoa(i)))
			require.NoError(w, err)
		}
		read := func() int { return w.Cluster.APIServer().Stats().Count("worker", "list", "workloads") }
		w.Sleep(35 * time.Second)
		require.InDelta(w, 50, read(), 10, "ten a second")
		began := time.Now()
		suspend(w, "s299", false) // the last one to be read
		_, err = all[299].Wait(w.Context())
		require.NoError(w, err)
		require.Less(w, time.Since(began), 5*time.Second)
		w.Sleep(15 * time.Second)
		require.NoError(w, client.Stop(w.Context()))
		stopped := read()
		require.Less(w, stopped, steps)
		w.Sleep(time.Minute)
		require.Equal(w, stopped, read())
	})
}

// TestQueueReasonWithoutTheRight: a worker that must not read Workloads says so once.
func TestQueueReasonWithoutTheRight(t *testing.T) {
	t.Parallel()
	reasons(t, "v1beta2", func(w *simtest.World) {
		w.Cluster.APIServer().Deny(apiserver.Match{User: "worker", Resource: "workloads"})
		client, log := w.NewClient("worker", nil)
		require.NoError(w, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
		require.NoError(w, err)
		for _, name := range []string{"a", "b"} {
			step, err := kontinue.StartScript(ktx, queued(name))
			require.NoError(w, err)
			w.Sleep(time.Hour)
			require.Equal(w, kontinue.StepSuspended, step.Progress().State)
			require.Equal(w, "Job suspended", step.Progress().Message)
		}
		require.Equal(w, 1, w.Cluster.APIServer().Stats().Count("worker", "list", "workloads"))
		require.Equal(w, 1, strings.Count(log.Warnings(), "grant the verb list on workloads.kueue.x-k8s.io"))
	})
}
