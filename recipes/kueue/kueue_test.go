package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/kontinuetest"
)

func TestMain(m *testing.M) {
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1] // the other one waits, in virtual time for years
	goleak.VerifyTestMain(m)
}

// queued is a step in a queue, in virtual time.
type queued struct {
	*kontinuetest.Cluster
	t         *testing.T
	kueue     *kueue
	execution kontinue.Execution
	last      kontinue.Progress
}

// start returns a cluster with a Kueue.
func start(t *testing.T, plays ...*kontinuetest.Play) *queued {
	t.Helper()
	q := &queued{t: t}
	q.Cluster = kontinuetest.New(t,
		kontinuetest.WithOptions(func(o *devcluster.Options) { o.Kinds = kinds }),
		kontinuetest.WithConfig(func(c *kontinue.Config) { c.OnProgress = func(p kontinue.Progress) { q.last = p } }))
	q.Play(plays...)
	q.execution = q.NewExecution("model-42")
	return q
}

// train runs the function, and waits until its Job is in the queue.
func (q *queued) train() (ended <-chan error, job *batchv1.Job) {
	q.t.Helper()
	errs := make(chan error, 1)
	ktx := q.Run(q.execution)
	go func() { errs <- train(ktx, "gpu") }()
	q.Advance(time.Second)
	var err error
	q.kueue, err = newKueue(q.Config().RESTConfig, kontinuetest.Namespace)
	require.NoError(q.t, err)
	job = q.Job(q.execution, "train")
	require.Equal(q.t, "gpu", job.Labels["kueue.x-k8s.io/queue-name"])
	require.Equal(q.t, new(true), job.Spec.Suspend)
	require.NoError(q.t, q.kueue.hold(q.t.Context(), job, "1 more cpu needed"))
	return errs, job
}

// pods is the number of pods.
func (q *queued) pods() int {
	q.t.Helper()
	list, err := q.Clientset().CoreV1().Pods(kontinuetest.Namespace).List(q.t.Context(), metav1.ListOptions{})
	require.NoError(q.t, err)
	return len(list.Items)
}

// TestQueue: a step waits for longer than its Timeout, is admitted, evicted and admitted
// again, and it is one Job with one result.
func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := start(t, kontinuetest.Job("train").Run(90*time.Minute))
		ended, job := q.train()
		q.Advance(3 * time.Hour)
		require.Equal(t, kontinue.StepSuspended, q.last.State)
		require.Equal(t, "1 more cpu needed", q.last.Message)
		require.Zero(t, q.pods())

		require.NoError(t, q.kueue.admit(t.Context(), job))
		q.Running("train")
		q.Advance(time.Hour)
		require.NoError(t, q.kueue.evict(t.Context(), job, "preempted"))
		q.Advance(3 * time.Hour)
		require.Equal(t, kontinue.StepSuspended, q.last.State)
		require.Zero(t, q.pods())

		require.NoError(t, q.kueue.admit(t.Context(), job))
		require.NoError(t, <-ended)
		q.RequireJobs(q.execution, "train")
	})
}

// TestCrash: a worker that dies while the Job is in the queue, and one that dies while it
// runs, are followed by one that returns to it.
func TestCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := start(t, kontinuetest.Job("train").Run(time.Hour))
		ended, _ := q.train()
		q.Crash()
		require.ErrorIs(t, <-ended, kontinuetest.ErrCrashed)
		q.execution.Resumptions++
		ended, job := q.train()
		require.NoError(t, q.kueue.admit(t.Context(), job))
		q.Running("train")
		q.Crash()
		require.ErrorIs(t, <-ended, kontinuetest.ErrCrashed)
		q.execution.Resumptions++
		require.NoError(t, train(q.Run(q.execution), "gpu"))
		q.RequireJobs(q.execution, "train")
	})
}

// TestCancel: what is canceled in the queue starts no pod, although the Job controller ends
// only a Job that is not suspended, and Kueue suspends it again.
func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := start(t)
		ended, job := q.train()
		require.NoError(t, q.Client().Cancel(t.Context(), q.execution))
		require.NoError(t, q.kueue.suspend(t.Context(), job))
		require.ErrorIs(t, <-ended, kontinue.ErrCanceled)
		require.Zero(t, q.pods())
	})
}
