package kontinuetest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// The tests of this file are those of docs/testing.md.

// ship is the worker function under test.
func ship(ktx *kontinue.ExecutionContext) error {
	for _, name := range []string{"build", "publish"} {
		result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: name, Timeout: time.Hour},
			Image:       "registry.example.com/tools:1",
			Command:     "make " + name,
		})
		if err != nil {
			return err // there is no result
		}
		if err := result.Err(); err != nil {
			return err // the script ran and failed
		}
	}
	return nil
}

func TestPublishFails(t *testing.T) {
	cluster := kontinuetest.New(t)
	cluster.Play(kontinuetest.Job("publish").Log("401 Unauthorized").Exit(22))
	execution := cluster.NewExecution("release-42")
	require.ErrorContains(t, ship(cluster.Run(execution)), "401 Unauthorized")
	cluster.RequireJobs(execution, "build", "publish")
}

func TestPublishIsRetried(t *testing.T) {
	cluster := kontinuetest.New(t)
	cluster.Play(kontinuetest.Job("publish").Attempt(0).Exit(22))
	execution := cluster.NewExecution("release-42")
	execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
	require.Error(t, ship(cluster.Run(execution)))

	execution.Attempts++
	require.NoError(t, ship(cluster.Run(execution)))
	cluster.RequireJobs(execution, "build", "publish", "publish") // the build is not run again
}

func TestWorkerCrashes(t *testing.T) {
	cluster := kontinuetest.New(t)
	execution := cluster.NewExecution("release-42")
	cluster.CrashAfter("create", "jobs") // the Job exists, and the worker never knew
	require.ErrorIs(t, ship(cluster.Run(execution)), kontinuetest.ErrCrashed)

	execution.Resumptions++
	require.NoError(t, ship(cluster.Run(execution)))
	cluster.RequireJobs(execution, "build", "publish") // nothing has run twice
}

func TestBuildIsEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the half hour takes no real time
		cluster := kontinuetest.New(t)
		cluster.Play(kontinuetest.Job("build").Run(45 * time.Minute))
		ended := make(chan error, 1)
		ktx := cluster.Run(cluster.NewExecution("release-42"))
		go func() { ended <- ship(ktx) }()

		pod := cluster.Running("build")
		cluster.Advance(30 * time.Minute)
		cluster.EvictPod(pod.Name)
		require.ErrorIs(t, <-ended, kontinue.ErrEvicted)
	})
}

func TestScriptsRun(t *testing.T) {
	cluster := kontinuetest.New(t, kontinuetest.LocalProcesses())
	result, err := kontinue.RunScript(cluster.Run(cluster.NewExecution("release-42")), &kontinue.ScriptOptions{
		Image: "alpine:3", Command: "printf 4.2 > /dev/termination-log",
	})
	require.NoError(t, err)
	require.Equal(t, "4.2", result.Output(""))
}
