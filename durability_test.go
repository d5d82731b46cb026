package kontinue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/controller"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// errKilled is what a worker's last request comes back with, as far as the
// worker lives to see it.
var errKilled = errors.New("the worker was killed")

// world is a cluster in memory and an Execution whose function runs in it, in
// workers that may die.
type world struct {
	*testing.T
	cluster   *fakecluster.Cluster
	execution kontinue.Execution
	workers   int
}

// inWorld runs the test in virtual time.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t)) })
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, cluster: fakecluster.New(fakecluster.Options{
		// The real Job controller looks at a Job one second after a pod changed.
		Controller: controller.Options{SyncBatch: time.Second},
	})}
	require.NoError(t, w.cluster.Start(t.Context()))
	t.Cleanup(w.cluster.Stop)
	owner, err := w.cluster.CreateOwner(t.Context(), "ns", "release")
	require.NoError(t, err)
	w.execution = kontinue.Execution{Owner: owner}
	return w
}

// admin acts for the test, not for a worker.
func (w *world) admin() kubernetes.Interface { return w.cluster.APIServer().ClientsetAs("admin") }

// worker is one process: a client with an identity of its own at the API
// server, and the context that its functions run under.
type worker struct {
	*world
	user   string
	client *kontinue.Client
	ctx    context.Context
	die    context.CancelCauseFunc
	lists  int // pages that its informers' lists took at its start
}

// worker starts a worker. Its requests are counted under its user.
func (w *world) worker() *worker {
	w.Helper()
	w.workers++
	p := &worker{world: w, user: fmt.Sprintf("worker-%d", w.workers)}
	var err error
	p.client, err = kontinue.New(kontinue.Config{Clientset: w.cluster.APIServer().ClientsetAs(p.user), Namespace: "ns"})
	require.NoError(w, err)
	require.NoError(w, p.client.Start(w.Context()))
	p.lists = p.requests("list")
	w.Cleanup(func() { require.NoError(w, p.client.Stop(context.Background())) })
	p.ctx, p.die = context.WithCancelCause(w.Context())
	w.Cleanup(func() { p.die(nil) })
	return p
}

// kill ends the worker without a chance to say anything more to the cluster.
func (p *worker) kill() {
	p.cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.user}, Before: errKilled})
	p.die(errKilled)
}

// killAt kills the worker at its n-th request from now, counted from 1: before
// the API server gets it, or after it was carried out and before its answer.
func (p *worker) killAt(n int, before bool) {
	server, match := p.cluster.APIServer(), apiserver.Match{User: p.user}
	if n > 1 {
		server.AddFault(apiserver.Fault{Match: match, Times: n - 1}) // lets that many pass
	}
	deadly := apiserver.Fault{Match: match, Times: 1, After: errKilled}
	if before {
		deadly = apiserver.Fault{Match: match, Times: 1, Before: errKilled}
	}
	server.AddFault(deadly)
	var count atomic.Int64
	server.AddAudit(func(r apiserver.Request, err error) {
		if r.User != p.user {
			return
		}
		// A request that was refused has no answer to lose.
		if n := int64(n); count.Add(1) == n && !before || errors.Is(err, errKilled) {
			p.kill()
		}
	})
}

// context prepares a run of the Execution's function in this worker.
func (p *worker) context() *kontinue.ExecutionContext {
	p.Helper()
	ktx, err := p.client.NewExecutionContext(p.ctx, p.execution)
	require.NoError(p, err)
	return ktx
}

// requests counts what the worker asked of the API server, but for the list at its
// start and the watch of each of its two informers.
func (p *worker) requests(verb string) int {
	stats := p.cluster.APIServer().Stats()
	if verb == "" {
		return stats.Count(p.user, "", "") - stats.Count(p.user, "watch", "") - p.lists
	}
	return stats.Count(p.user, verb, "")
}

// jobs are the Jobs there are, by the name of their step.
func (w *world) jobs() map[string][]batchv1.Job {
	w.Helper()
	list, err := w.admin().BatchV1().Jobs("ns").List(context.Background(), metav1.ListOptions{})
	require.NoError(w, err)
	found := map[string][]batchv1.Job{}
	for _, job := range list.Items {
		step := job.Labels[kubelet.StepLabel]
		found[step] = append(found[step], job)
	}
	return found
}

func (w *world) pods() []corev1.Pod {
	w.Helper()
	list, err := w.admin().CoreV1().Pods("ns").List(context.Background(), metav1.ListOptions{})
	require.NoError(w, err)
	return list.Items
}

// ranOnce requires that there is one Job for each of the steps, that each Job
// made as many pods as it should, and that no Job was ever deleted: then none
// ran twice.
func (w *world) ranOnce(steps map[string]int) {
	w.Helper()
	found := w.jobs()
	pods := map[string]int{}
	for _, pod := range w.pods() {
		pods[pod.Labels[kubelet.StepLabel]]++
	}
	for step, want := range steps {
		require.Len(w, found[step], 1, "Jobs of step %s", step)
		require.Equal(w, want, pods[step], "pods of step %s", step)
	}
	require.Len(w, found, len(steps), "steps that have a Job")
	require.Zero(w, w.cluster.APIServer().Stats().Count("", "delete", "jobs"))
}

// digest is all that a function can see of a result, but for the names of pods,
// which the cluster draws by lot.
func digest(r *kontinue.PodResult, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "succeeded=%t phase=%s message=%q err=%v", r.Succeeded(), r.Phase, r.Message, r.Err())
	for _, c := range append(r.Pod.Status.InitContainerStatuses, r.Pod.Status.ContainerStatuses...) {
		end := c.State.Terminated
		fmt.Fprintf(&b, " %s: exit=%d reason=%s log=%q", c.Name, end.ExitCode, end.Reason, end.Message)
	}
	return strings.ReplaceAll(b.String(), r.Pod.Name, "POD")
}

// exitCode is that of the pod's first container.
func exitCode(r *kontinue.PodResult) int32 {
	return r.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode
}

func digestJob(r *kontinue.JobResult, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	text := fmt.Sprintf("succeeded=%t (%d, %d failed) message=%q err=%v", r.Succeeded(), r.SucceededPods, r.FailedPods, r.Message, r.Err())
	for _, p := range r.Pods {
		text += "\n\t" + digest(p, nil)
		text = strings.ReplaceAll(text, p.Pod.Name, "POD")
	}
	return text
}

// script is a step of one container that the cluster's scripts play.
func script(name, command string) *kontinue.ScriptOptions {
	return &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: name}, Image: "alpine:3", Command: command}
}

// after waits in virtual time.
func after(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
