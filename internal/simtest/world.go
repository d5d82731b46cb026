package simtest

import (
	"context"
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
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/controller"
)

// World is a cluster in memory with an Execution, whose function runs in workers that may
// die. Everything is in namespace "ns". Its methods fail the test instead of returning
// errors.
type World struct {
	testing.TB
	// Cluster is the cluster in memory. Its Job controller syncs a Job one second
	// after a pod has changed, as the real one does.
	Cluster *fakecluster.Cluster
	// Execution is passed to the next run of the function. A test changes its attempt,
	// child policy and TTL here.
	Execution kontinue.Execution

	workers int
}

// Run runs the test in virtual time, in a World that ends with it.
func Run(t *testing.T, test func(w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(New(t)) })
}

// New starts a World that ends with the test. In a testing/synctest bubble call
// it with the bubble's T, or use [Run].
func New(t testing.TB) *World {
	t.Helper()
	return newWorld(t, fakecluster.Options{Controller: controller.Options{SyncBatch: time.Second}})
}

// RunReal is [Run] in a World with the delays of a real node and Job controller.
func RunReal(t *testing.T, test func(w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, fakecluster.Options{Delays: fakecluster.RealDelays()})) })
}

// RunWith is [Run] in a World with the given cluster.
func RunWith(t *testing.T, o fakecluster.Options, test func(w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, o)) })
}

func newWorld(t testing.TB, o fakecluster.Options) *World {
	t.Helper()
	w := &World{TB: t, Cluster: fakecluster.New(o)}
	require.NoError(t, w.Cluster.Start(t.Context()))
	t.Cleanup(w.Cluster.Stop)
	owner, err := w.Cluster.CreateOwner(t.Context(), "ns", "release")
	require.NoError(t, err)
	w.Execution = kontinue.Execution{Owner: owner}
	return w
}

// Admin returns a client for the test itself: faults do not affect its requests, and
// they do not count for a worker.
func (w *World) Admin() kubernetes.Interface { return w.Cluster.APIServer().ClientsetAs("admin") }

// Jobs returns the Jobs in the cluster by the name of their step.
func (w *World) Jobs() map[string][]batchv1.Job {
	w.Helper()
	list, err := w.Admin().BatchV1().Jobs("ns").List(context.Background(), metav1.ListOptions{})
	require.NoError(w, err)
	found := map[string][]batchv1.Job{}
	for _, job := range list.Items {
		step := job.Labels[containers.StepLabel]
		found[step] = append(found[step], job)
	}
	return found
}

// Pods returns the pods in the cluster.
func (w *World) Pods() []corev1.Pod {
	w.Helper()
	list, err := w.Admin().CoreV1().Pods("ns").List(context.Background(), metav1.ListOptions{})
	require.NoError(w, err)
	return list.Items
}

// RequireRanOnce requires that each of the steps has exactly one Job, that the
// Job created as many pods as the map says, that no other step has a Job, and
// that no Job was ever deleted. Together this proves that no step ran twice.
func (w *World) RequireRanOnce(steps map[string]int) {
	w.Helper()
	found := w.Jobs()
	pods := map[string]int{}
	for _, pod := range w.Pods() {
		pods[pod.Labels[containers.StepLabel]]++
	}
	for step, want := range steps {
		require.Len(w, found[step], 1, "Jobs of step %s", step)
		require.Equal(w, want, pods[step], "pods of step %s", step)
	}
	require.Len(w, found, len(steps), "steps that have a Job")
	require.Zero(w, w.Cluster.APIServer().Stats().Count("", "delete", "jobs"))
}

// Sleep waits for d, which in a bubble takes no time, or until the test ends.
func (w *World) Sleep(d time.Duration) { Sleep(w.Context(), d) }

// Sleep waits for d, which in a bubble takes no time, or until ctx is done.
func Sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Script returns a step with one container that follows the cluster's scripts (see
// fakecluster.Cluster.On). The command is never run.
func Script(name, command string) *kontinue.ScriptOptions {
	return &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: name}, Image: "alpine:3", Command: command}
}

// ExitCode returns the exit code of the first container of the result's pod.
func ExitCode(r *kontinue.PodResult) int32 {
	return r.Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode
}
