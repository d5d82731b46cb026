package kontinuetest_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// TestUnusedPlaysFailTheTest: a failure that is played for a misspelt step must not leave the
// test green.
func TestUnusedPlaysFailTheTest(t *testing.T) {
	t.Parallel()
	with := func(plays ...*kontinuetest.Play) func(testing.TB) {
		return func(t testing.TB) {
			c := kontinuetest.New(t)
			c.Play(plays...)
			_, err := script(c.Run(c.NewExecution("e")), "helm", "true")
			require.NoError(t, err)
		}
	}
	require.Contains(t, failure(t, with(kontinuetest.Job("hlem").Exit(3))),
		`no container has followed the play Job("hlem"); these ran: "script" of step "helm". Correct the name or the order, or allow it with Optional`)
	require.Contains(t, failure(t, with(kontinuetest.Job("helm").Container("proxy").Exit(3))), `the play Job("helm").Container("proxy");`)
	require.Contains(t, failure(t, func(t testing.TB) { kontinuetest.New(t).Play(kontinuetest.Job("")) }), `the play Job(""); no container ran`)
	require.Empty(t, failure(t, with(kontinuetest.Job("hlem").Exit(3).Optional())))
	require.Empty(t, failure(t, with(kontinuetest.Job("helm"))))

	// A test that has failed is not disturbed.
	said := failure(t, func(t testing.TB) {
		with(kontinuetest.Job("hlem"))(t)
		require.FailNow(t, "for another reason")
	})
	require.Contains(t, said, "for another reason")
	require.NotContains(t, said, "hlem")
}

// TestRequireJobs: a step that another attempt runs again has two Jobs, also when the first
// has been deleted.
func TestRequireJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		c.Play(kontinuetest.Job("b").Attempt(0).Exit(3))
		execution := c.NewExecution("e")
		c.RequireJobs(execution)
		execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
		for attempt, code := range []int{3, 0} {
			execution.Attempts = attempt
			ktx := c.Run(execution)
			for _, step := range []string{"a", "b"} {
				r, err := script(ktx, step, "deploy --to=staging")
				require.NoError(t, err)
				require.Equal(t, step == "a" || code == 0, r.Succeeded())
			}
		}
		c.RequireJobs(execution, "a", "b", "b")
		c.RequireJobs(execution, "b", "a", "b")
		c.RequireJobs(c.NewExecution("other"))

		jobs := c.Jobs(execution)
		require.Equal(t, jobs[2].Name, c.Job(execution, "b").Name, "the last one")
		require.Contains(t, c.Job(execution, "a").Spec.Template.Spec.Containers[0].Command, "deploy --to=staging")
		background := metav1.DeletePropagationBackground
		require.NoError(t, c.Clientset().BatchV1().Jobs(kontinuetest.Namespace).Delete(t.Context(), jobs[1].Name, metav1.DeleteOptions{PropagationPolicy: &background}))
		c.Advance(time.Minute)
		c.RequireJobs(execution, "a", "b", "b")

		require.Equal(t, 3, c.Requests("create", "jobs"))
		require.Equal(t, 3, c.Requests("patch", "jobs"))
		require.Zero(t, c.Requests("delete", "jobs"), "those of the test do not count")
	})
	for says, test := range map[string]func(c *kontinuetest.Cluster, e kontinue.Execution){
		`of step "a", attempt 0`:                  func(c *kontinuetest.Cluster, e kontinue.Execution) { c.RequireJobs(e, "a", "b") },
		"created were:":                           func(c *kontinuetest.Cluster, e kontinue.Execution) { c.RequireJobs(e, "a", "a") },
		`step "b" has no Job; created were:`:      func(c *kontinuetest.Cluster, e kontinue.Execution) { c.Job(e, "b") },
		`verb "create", resource "Job"`:           func(c *kontinuetest.Cluster, _ kontinue.Execution) { c.Requests("create", "Job") },
		`step "a" has no Job; no Job was created`: func(c *kontinuetest.Cluster, _ kontinue.Execution) { c.Job(c.NewExecution("other"), "a") },
	} {
		require.Contains(t, failure(t, func(t testing.TB) {
			c := kontinuetest.New(t)
			e := c.NewExecution("e")
			_, err := script(c.Run(e), "a", "true")
			require.NoError(t, err)
			test(c, e)
		}), says)
	}
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		c.Play(kontinuetest.Job("s").Pending(time.Minute).Run(time.Hour))
		execution := c.NewExecution("e")
		ktx := c.Run(execution)
		ended := make(chan error, 1)
		go func() {
			_, err := script(ktx, "s", "sleep 3600")
			ended <- err
		}()
		c.Advance(0)
		began := time.Now()
		c.RequireJobs(execution, "s")
		c.Advance(time.Minute + time.Hour - time.Millisecond)
		require.Empty(t, ended)
		require.EqualValues(t, 1, c.Job(execution, "s").Status.Active)
		c.Advance(time.Millisecond)
		require.Len(t, ended, 1)
		require.NoError(t, <-ended)
		require.Equal(t, time.Minute+time.Hour, time.Since(began))
		require.Equal(t, batchv1.JobComplete, c.Job(execution, "s").Status.Conditions[1].Type)
	})
	require.Contains(t, failure(t, func(t testing.TB) { kontinuetest.New(t).Advance(time.Hour) }), "Advance needs the virtual time of a testing/synctest bubble")
	require.Contains(t, failure(t, func(t testing.TB) { kontinuetest.New(t).Advance(-1) }), "time does not go back")
}

func TestEventually(t *testing.T) {
	t.Parallel()
	// In real time, and without polling: the limit is generous.
	c := kontinuetest.New(t)
	c.Play(kontinuetest.Job("s").Hang())
	execution := c.NewExecution("e")
	ktx := c.Run(execution)
	step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "sleep inf"})
	require.NoError(t, err)
	c.Running("s")
	c.Eventually(func() bool { return c.Job(execution, "s").Status.Active == 1 }, time.Minute)
	require.NoError(t, step.Cancel(t.Context()))
	c.Eventually(func() bool { return c.Job(execution, "s").Status.Active == 0 }, time.Minute, "the Job is stopped")

	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		var flag atomic.Bool
		time.AfterFunc(time.Minute-time.Millisecond, func() { flag.Store(true) })
		began := time.Now()
		c.Eventually(flag.Load, time.Hour)
		require.Equal(t, time.Minute, time.Since(began))
		said := failure(t, func(tb testing.TB) {
			kontinuetest.New(tb).Eventually(func() bool { return false }, time.Hour, "the reason")
		})
		require.Contains(t, said, "devcluster: the condition does not hold: context deadline exceeded")
		require.Contains(t, said, "the reason")
		require.Contains(t, failure(t, func(tb testing.TB) { kontinuetest.New(tb).Running("hlem") }), `no pod of step "hlem" was running: context deadline exceeded`)
	})
}

// TestConfigIsChanged in each client.
func TestConfigIsChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t, kontinuetest.WithConfig(func(config *kontinue.Config) { config.Group = "mine" }))
		execution := c.NewExecution("e")
		_, err := script(c.Run(execution), "s", "true")
		require.NoError(t, err)
		require.Equal(t, "mine", c.Job(execution, "s").Labels["kontinue.cloud/worker-group"])
		require.Equal(t, "mine", c.Config().Group)
	})
}
