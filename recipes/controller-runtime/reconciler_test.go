package main

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/kontinuetest"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	goleak.VerifyTestMain(m)
}

// setup returns a cluster with the kind Pipeline, and a client of the test.
func setup(t *testing.T) (*kontinuetest.Cluster, client.Client) {
	t.Helper()
	cluster := kontinuetest.New(t, kontinuetest.WithOptions(func(o *devcluster.Options) { o.Kinds = kinds }))
	return cluster, clientOf(t, cluster)
}

// clientOf returns a client of the present process.
func clientOf(t *testing.T, cluster *kontinuetest.Cluster) client.Client {
	t.Helper()
	c, err := client.New(cluster.Config().RESTConfig, client.Options{Scheme: newScheme()})
	require.NoError(t, err)
	return c
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

// start starts a manager in the present process of the cluster, and returns how it is stopped.
func start(t *testing.T, cluster *kontinuetest.Cluster) (stop func()) {
	t.Helper()
	ctx, end := context.WithCancel(cluster.Context())
	ended := make(chan error, 1)
	config := cluster.Config().RESTConfig
	go func() { ended <- runManager(ctx, config) }()
	stop = func() {
		if end != nil {
			end()
			require.NoError(t, <-ended)
			end = nil
		}
	}
	t.Cleanup(func() { stop() })
	return stop
}

// create creates a Pipeline with these steps.
func create(t *testing.T, c client.Client, name string, steps ...string) *Pipeline {
	t.Helper()
	p := &Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: kontinuetest.Namespace, Name: name}, Spec: PipelineSpec{Image: "busybox", Retries: 1}}
	for _, s := range steps {
		p.Spec.Steps = append(p.Spec.Steps, PipelineStep{Name: s, Command: "make " + s})
	}
	require.NoError(t, c.Create(t.Context(), p))
	return p
}

// released waits until the Pipeline has ended and nothing of it is left to do.
func released(t *testing.T, cluster *kontinuetest.Cluster, c client.Client, p *Pipeline) {
	t.Helper()
	cluster.Eventually(func() bool {
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(p), p))
		return p.Status.Phase != "" && p.Status.Phase != running && len(p.Finalizers) == 0
	}, 2*time.Minute, "the Pipeline has not ended")
}

// TestRestart: a manager that is started again finds the Jobs of the one before it.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(cluster *kontinuetest.Cluster, stop func()){
		"stopped": func(_ *kontinuetest.Cluster, stop func()) { stop() },
		"crashed": func(cluster *kontinuetest.Cluster, _ func()) { cluster.Crash() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, c := setup(t)
			gone := make(chan struct{})
			cluster.Play(buildUntil(gone))
			stop := start(t, cluster)
			p := create(t, c, "release-42", "build", "test")
			cluster.Running("build")
			cluster.Eventually(func() bool {
				require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(p), p))
				return p.Status.Phase == running
			}, time.Minute, "the status is not written")
			end(cluster, stop)
			close(gone) // the Job ends while no manager is running
			start(t, cluster)
			released(t, cluster, clientOf(t, cluster), p)
			require.Equal(t, PipelineStatus{Phase: succeeded, Step: "test"}, p.Status)
			cluster.RequireJobs(execution(p), "build", "test")
			require.Equal(t, new(int32(3600)), cluster.Job(execution(p), "build").Spec.TTLSecondsAfterFinished)
		})
	}
}

// TestRetry: an attempt that fails is followed by one that runs again what has failed.
func TestRetry(t *testing.T) {
	t.Parallel()
	cluster, c := setup(t)
	cluster.Play(kontinuetest.Job("test").Attempt(0).Exit(3), kontinuetest.Job("lint").Exit(4))
	start(t, cluster)
	once, never := create(t, c, "once", "build", "test"), create(t, c, "never", "lint")
	released(t, cluster, c, once)
	require.Equal(t, succeeded, once.Status.Phase)
	require.Equal(t, 1, once.Status.Attempts)
	require.Contains(t, once.Status.Message, "exit code 3")
	cluster.RequireJobs(execution(once), "build", "test", "test")
	released(t, cluster, c, never)
	require.Equal(t, failed, never.Status.Phase)
	require.Contains(t, never.Status.Message, "exit code 4")
	cluster.RequireJobs(execution(never), "lint", "lint")
}

// TestDeletion: what a Pipeline runs is stopped before it is gone, and then collected.
func TestDeletion(t *testing.T) {
	t.Parallel()
	cluster, c := setup(t)
	cluster.Play(kontinuetest.Job("build").Hang())
	start(t, cluster)
	p := create(t, c, "release-42", "build")
	cluster.Running("build")
	require.NoError(t, c.Delete(t.Context(), p))
	cluster.Eventually(func() bool {
		jobs, err := cluster.Clientset().BatchV1().Jobs(kontinuetest.Namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		return len(jobs.Items) == 0
	}, time.Minute, "the Job is still there")
	require.True(t, apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(p), p)))
	require.Equal(t, new(int32(0)), cluster.Job(execution(p), "build").Spec.Parallelism, "the Job was deleted without being canceled")
}

// TestManySteps: one worker of the controller has many steps run at once, since no Reconcile
// waits for one.
func TestManySteps(t *testing.T) {
	t.Parallel()
	cluster, c := setup(t)
	cluster.Play(kontinuetest.Job("build").Hang())
	stop := start(t, cluster)
	const pipelines = 50
	for i := range pipelines {
		create(t, c, fmt.Sprintf("release-%d", i), "build")
	}
	cluster.Eventually(func() bool {
		pods, err := cluster.Clientset().CoreV1().Pods(kontinuetest.Namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=" + string(corev1.PodRunning)})
		require.NoError(t, err)
		return len(pods.Items) == pipelines
	}, 2*time.Minute, "not all steps are running")
	stop()
}
