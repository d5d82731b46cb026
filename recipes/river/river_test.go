package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/kontinuetest"
)

// asProgram is the environment variable that makes the test binary run main.
const asProgram = "RIVER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// queue is a river client that works releases, and what happens to them.
type queue struct {
	*river.Client[*sql.Tx]
	events <-chan *river.Event
}

// work starts a river client, which stops when the test ends.
func work(t *testing.T, db *sql.DB, w *worker) queue {
	t.Helper()
	config := riverConfig(w)
	config.TestOnly = true // its maintenance starts at once
	client, err := river.NewClient(riversqlite.New(db), config)
	require.NoError(t, err)
	events, unsubscribe := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled,
		river.EventKindJobSnoozed, river.EventKindJobInterrupted)
	t.Cleanup(unsubscribe)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.StopAndCancel(context.WithoutCancel(t.Context()))) })
	return queue{client, events}
}

// next waits for the next event, of the kind, and returns the river job.
func (q queue) next(t *testing.T, kind river.EventKind) *rivertype.JobRow {
	t.Helper()
	select {
	case e := <-q.events:
		require.Equal(t, kind, e.Kind, "%s: %+v", e.Job.State, e.Job.Errors)
		return e.Job
	case <-time.After(2 * time.Minute):
		require.FailNow(t, "the river job has no event "+string(kind))
		return nil
	}
}

// setup returns a cluster whose containers follow the plays, a queue with a release, and a
// worker.
func setup(t *testing.T, plays ...*kontinuetest.Play) (*kontinuetest.Cluster, *sql.DB, *worker) {
	t.Helper()
	cluster := kontinuetest.New(t)
	cluster.Play(plays...)
	db := open(t, filepath.Join(t.TempDir(), "queue.sqlite"))
	client, err := river.NewClient(riversqlite.New(db), &river.Config{})
	require.NoError(t, err)
	_, err = client.Insert(t.Context(), release{Name: "release-42"}, nil)
	require.NoError(t, err)
	return cluster, db, &worker{client: cluster.Client(), clientset: cluster.Clientset(), namespace: kontinuetest.Namespace, slice: time.Hour, function: steps}
}

func open(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := openQueue(t.Context(), file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// requireJobs requires that these Jobs were created for the release, and no others.
func requireJobs(t *testing.T, cluster *kontinuetest.Cluster, w *worker, row *rivertype.JobRow, steps ...string) {
	t.Helper()
	execution, err := w.execution(t.Context(), row, release{Name: "release-42"})
	require.NoError(t, err)
	cluster.RequireJobs(execution, steps...)
}

// failures is the count in the metadata.
func failures(t *testing.T, row *rivertype.JobRow) int {
	t.Helper()
	var n counts
	require.NoError(t, json.Unmarshal(row.Metadata, &n))
	return n.Failures
}

// buildUntil is a build that takes until the channel is closed.
func buildUntil(closed <-chan struct{}) *kontinuetest.Play {
	return kontinuetest.Job("build").Do(func(ctx context.Context, _ map[string]string, _ io.Writer) int32 {
		select {
		case <-closed:
			return 0
		case <-ctx.Done():
			return 1
		}
	})
}

// TestKilledWorker: river rescues the release of a process that got SIGKILL, and another
// process returns to the Job that has ended in the meantime.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	cluster, err := devcluster.Start(t.Context(), devcluster.Options{Containers: devcluster.Scripts})
	require.NoError(t, err)
	t.Cleanup(cluster.Stop)
	killed := make(chan struct{})
	require.NoError(t, cluster.Play(buildUntil(killed)))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	endpoint, err := cluster.Serve(listener, devcluster.ServeOptions{})
	require.NoError(t, err)
	kubeconfig, file := filepath.Join(t.TempDir(), "kubeconfig"), filepath.Join(t.TempDir(), "queue.sqlite")
	require.NoError(t, endpoint.WriteKubeconfig(kubeconfig))

	program := exec.CommandContext(t.Context(), os.Args[0])
	program.Env = append(os.Environ(), asProgram+"=1", "KUBECONFIG="+kubeconfig, "QUEUE="+file)
	program.Stdout, program.Stderr = t.Output(), t.Output()
	require.NoError(t, program.Start())
	require.NoError(t, cluster.WaitFor(t.Context(), func(ctx context.Context) (bool, error) {
		pods, err := cluster.Clientset().CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
		return err == nil && len(pods.Items) == 1 && pods.Items[0].Status.Phase == corev1.PodRunning, err
	}))
	require.NoError(t, program.Process.Kill())
	require.ErrorContains(t, program.Wait(), "signal: killed")
	close(killed) // the Job ends while no worker is running

	db := open(t, file)
	for _, later := range []string{ // as if an hour had passed
		`DELETE FROM river_leader`,
		`UPDATE river_job SET attempted_at = datetime('now', '-1 hour')`,
	} {
		_, err := db.ExecContext(t.Context(), later)
		require.NoError(t, err)
	}
	w, err := newWorker(t.Context(), cluster.RESTConfig())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.client.Stop(context.WithoutCancel(t.Context()))) })
	row := work(t, db, w).next(t, river.EventKindJobCompleted)

	require.Equal(t, 2, row.Attempt, "river counts the rescue")
	require.Equal(t, 0, failures(t, row), "the worker does not: no step was to run again")
	execution, err := w.execution(t.Context(), row, release{Name: "release-42"})
	require.NoError(t, err)
	var steps []string
	for _, job := range cluster.Jobs(execution) {
		steps = append(steps, job.Labels["kontinue.cloud/step"])
	}
	require.Equal(t, []string{"build", "test", "publish"}, steps, "no step has run twice")
	all, err := cluster.Clientset().BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, all.Items, 3, "no other Execution has")
}

// TestFailureIsAnAttempt: river tries again, and only the step that has failed has a new Job.
func TestFailureIsAnAttempt(t *testing.T) {
	t.Parallel()
	cluster, db, w := setup(t, kontinuetest.Job("publish").Attempt(0).Exit(75))
	q := work(t, db, w)
	row := q.next(t, river.EventKindJobFailed)
	require.Contains(t, row.Errors[0].Error, "exit code 75")
	require.Equal(t, 1, failures(t, row))
	row = q.next(t, river.EventKindJobCompleted)
	require.Equal(t, 2, row.Attempt)
	requireJobs(t, cluster, w, row, "build", "test", "publish", "publish")

	require.NoError(t, w.finish(t.Context(), row))
	jobs, err := cluster.Clientset().BatchV1().Jobs(kontinuetest.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, job := range jobs.Items {
		require.Equal(t, new(int32(24*60*60)), job.Spec.TTLSecondsAfterFinished, job.Name)
	}
}

// TestSlices: a step that takes longer than a slice is one Job and one attempt.
func TestSlices(t *testing.T) {
	t.Parallel()
	snoozed := make(chan struct{})
	cluster, db, w := setup(t, buildUntil(snoozed))
	w.slice = time.Second
	q := work(t, db, w)
	q.next(t, river.EventKindJobSnoozed)
	q.next(t, river.EventKindJobSnoozed)
	close(snoozed)
	var row *rivertype.JobRow
	for e := range q.events {
		if row = e.Job; row.FinalizedAt != nil {
			break
		}
	}
	require.Equal(t, rivertype.JobStateCompleted, row.State)
	require.Equal(t, 1, row.Attempt)
	require.Empty(t, row.Errors)
	requireJobs(t, cluster, w, row, "build", "test", "publish")
}

// TestShutdown: a worker that stops ends its waits, no Job, and no attempt.
func TestShutdown(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	cluster, db, w := setup(t, buildUntil(stopped))
	first := work(t, db, w)
	cluster.Running("build")
	require.NoError(t, first.StopAndCancel(t.Context()))
	first.next(t, river.EventKindJobInterrupted)
	close(stopped)
	row := work(t, db, w).next(t, river.EventKindJobCompleted)
	require.Equal(t, 1, row.Attempt)
	requireJobs(t, cluster, w, row, "build", "test", "publish")
}

// TestCancel: a river job that is canceled stops its Kubernetes Job.
func TestCancel(t *testing.T) {
	t.Parallel()
	cluster, db, w := setup(t, kontinuetest.Job("build").Hang())
	q := work(t, db, w)
	cluster.Running("build")
	_, err := q.JobCancel(t.Context(), 1)
	require.NoError(t, err)
	row := q.next(t, river.EventKindJobCancelled)
	requireJobs(t, cluster, w, row, "build")
	execution, err := w.execution(t.Context(), row, release{Name: "release-42"})
	require.NoError(t, err)
	cluster.Eventually(func() bool {
		conditions := cluster.Job(execution, "build").Status.Conditions
		return len(conditions) > 0 && conditions[len(conditions)-1].Type == batchv1.JobFailed
	}, time.Minute, "the Job was not stopped")
}
