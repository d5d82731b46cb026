package kontinuetest_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// TestCrashAtARequest: whatever the request at which the process dies, the next one returns
// the result of the only Job.
func TestCrashAtARequest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		crash func(*kontinuetest.Cluster)
		jobs  int // after the crash
		runs  bool
	}{
		"before the create": {func(c *kontinuetest.Cluster) { c.CrashBefore("create", "jobs") }, 0, false},
		"after the create":  {func(c *kontinuetest.Cluster) { c.CrashAfter("create", "jobs") }, 1, true},
		"before the record": {func(c *kontinuetest.Cluster) { c.CrashBefore("patch", "jobs") }, 1, true},
		"after the record":  {func(c *kontinuetest.Cluster) { c.CrashAfter("patch", "jobs") }, 1, true},
		"at any request":    {func(c *kontinuetest.Cluster) { c.CrashAfter("", "") }, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := kontinuetest.New(t)
				c.Play(kontinuetest.Job("s").Run(time.Minute).Exit(3))
				execution := c.NewExecution("e")
				ktx := c.Run(execution)
				tc.crash(c)
				_, err := script(ktx, "s", "exit 3")
				require.ErrorIs(t, err, kontinuetest.ErrCrashed)
				require.ErrorIs(t, context.Cause(ktx.Context()), kontinuetest.ErrCrashed)
				require.Len(t, c.Jobs(execution), tc.jobs)

				execution.Resumptions++
				result, err := script(c.Run(execution), "s", "exit 3")
				require.NoError(t, err)
				require.Equal(t, tc.runs, result.Resumed())
				var failed *kontinue.ExitError
				require.ErrorAs(t, result.Err(), &failed)
				require.EqualValues(t, 3, failed.ExitCode)
				c.RequireJobs(execution, "s")
			})
		})
	}
}

// TestCrashedProcessDoesNothing: a step ends while no process runs, and its end is not recorded. A
// step that is stopped with its context is not stopped by a crash.
func TestCrashedProcessDoesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		c.Play(kontinuetest.Job("s").Run(time.Hour))
		execution := c.NewExecution("e")
		step, err := kontinue.StartScript(c.Run(execution), &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: "s", OnContextDone: kontinue.Cancel}, Image: "alpine:3", Command: "sleep 3600",
		})
		require.NoError(t, err)
		c.Running("s")
		old := c.Client()
		requests := c.Requests("", "")
		c.Crash()
		_, err = step.Wait(t.Context())
		require.ErrorIs(t, err, kontinuetest.ErrCrashed)
		_, err = c.Clientset().BatchV1().Jobs(kontinuetest.Namespace).Get(t.Context(), step.JobName(), metav1.GetOptions{})
		require.NoError(t, err)
		c.Advance(2 * time.Hour)
		require.Equal(t, requests, c.Requests("", ""))
		job := c.Job(execution, "s")
		require.EqualValues(t, 1, job.Status.Succeeded)
		require.NotContains(t, job.Annotations, "kontinue.cloud/outcome")
		require.ErrorIs(t, old.Healthy(), kontinue.ErrNotRunning, "the client of the process was stopped")

		require.NotSame(t, old, c.Client())
		execution.Resumptions++
		result, err := script(c.Run(execution), "s", "sleep 3600")
		require.NoError(t, err)
		require.NoError(t, result.Err())
		require.Contains(t, c.Job(execution, "s").Annotations, "kontinue.cloud/outcome")
	})
}

// TestCrashAgainAndAgain: each process dies at the step's record.
func TestCrashAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		execution := c.NewExecution("e")
		for range 3 {
			c.CrashBefore("patch", "jobs")
			_, err := script(c.Run(execution), "s", "true")
			require.ErrorIs(t, err, kontinuetest.ErrCrashed)
			execution.Resumptions++
		}
		c.Crash() // of a process that has done nothing
		c.Crash()
		result, err := script(c.Run(execution), "s", "true")
		require.NoError(t, err)
		require.NoError(t, result.Err())
		c.RequireJobs(execution, "s")
	})
}

// program is one that makes its own client, and ends with its context.
func program(ctx context.Context, config kontinue.Config, execution kontinue.Execution) (err error) {
	client, err := kontinue.New(config)
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(ctx)) }()
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		return err
	}
	return release(ktx)
}

// TestCrashOfAProgram in real time, with a client that is not the cluster's.
func TestCrashOfAProgram(t *testing.T) {
	t.Parallel()
	c := kontinuetest.New(t)
	migrated := make(chan struct{})
	c.Play(kontinuetest.Job("migrate").Do(func(context.Context, map[string]string, io.Writer) int32 {
		<-migrated
		return 0
	}))
	execution := c.NewExecution("e")
	crashed := make(chan error)
	go func(ctx context.Context, config kontinue.Config) { crashed <- program(ctx, config, execution) }(c.Context(), c.Config())
	c.Running("migrate")
	c.Crash()
	require.ErrorIs(t, <-crashed, kontinuetest.ErrCrashed)
	close(migrated)
	execution.Resumptions++
	require.NoError(t, program(c.Context(), c.Config(), execution))
	c.RequireJobs(execution, "migrate", "rollout")
}

func TestCrashThatNeverHappens(t *testing.T) {
	t.Parallel()
	for says, test := range map[string]func(t testing.TB){
		`CrashAfter("delete", "jobs"): the process has made no such request since`: func(t testing.TB) {
			c := kontinuetest.New(t)
			c.CrashAfter("delete", "jobs")
			_, err := script(c.Run(c.NewExecution("e")), "s", "true")
			require.NoError(t, err)
		},
		`verb "patch", resource "job": the API server has no such requests`: func(t testing.TB) {
			kontinuetest.New(t).CrashBefore("patch", "job")
		},
	} {
		require.Contains(t, failure(t, test), says)
	}
}

// TestCrashCutsStreams: what a process has open ends with it, and what it asks for then is
// not answered.
func TestCrashCutsStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		clientset, err := kubernetes.NewForConfig(c.Config().RESTConfig)
		require.NoError(t, err)
		maps := clientset.CoreV1().ConfigMaps(kontinuetest.Namespace)
		w, err := maps.Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		c.NewExecution("before")
		event := <-w.ResultChan()
		require.Equal(t, watch.Added, event.Type)
		c.Crash()
		c.NewExecution("after")
		for event := range w.ResultChan() {
			require.Equal(t, watch.Error, event.Type)
		}
		_, err = maps.Get(t.Context(), "after", metav1.GetOptions{})
		require.ErrorIs(t, err, kontinuetest.ErrCrashed)
		_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}, metav1.CreateOptions{})
		require.ErrorIs(t, err, kontinuetest.ErrCrashed)
		_, err = c.Clientset().CoreV1().ConfigMaps(kontinuetest.Namespace).Get(t.Context(), "mine", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "%v", err)
	})
}
