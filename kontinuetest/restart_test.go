package kontinuetest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// release migrates a database, and then rolls out what needs it.
func release(ktx *kontinue.ExecutionContext) error {
	for _, name := range []string{"migrate", "rollout"} {
		result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: name}, Image: "example/release:1", Command: "./" + name,
		})
		if err != nil {
			return err
		}
		if err := result.Err(); err != nil {
			return err
		}
	}
	return nil
}

// TestRestart kills the worker in its second step: the next one waits for the same Job, and
// the migration does not run again.
func TestRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kontinuetest.New(t)
		cluster.Play(kontinuetest.Job("rollout").Run(time.Hour))
		execution := cluster.NewExecution("release-42")

		crashed := make(chan error)
		ktx := cluster.Run(execution)
		go func() { crashed <- release(ktx) }()
		cluster.Running("rollout")
		cluster.Crash()
		require.ErrorIs(t, <-crashed, kontinuetest.ErrCrashed)

		execution.Resumptions++
		require.NoError(t, release(cluster.Run(execution)))
		cluster.RequireJobs(execution, "migrate", "rollout")
	})
}
