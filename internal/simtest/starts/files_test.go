package starts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// withFile is a script that has a file.
func withFile(content string) *kontinue.ScriptOptions {
	o := simtest.Script("a", "true")
	o.Files = map[string]string{"/etc/app/config": content}
	return o
}

// killedBeforeSecret runs the step in a worker that is killed when it creates the Secret, and
// returns after a pause.
func killedBeforeSecret(w *simtest.World, o *kontinue.ScriptOptions, pause time.Duration) {
	w.Helper()
	p := w.Worker()
	p.KillAt(2, true)
	_, err := kontinue.RunScript(p.ExecutionContext(), o)
	require.ErrorIs(w, err, simtest.ErrKilled)
	w.Sleep(pause)
}

// TestAbsenceOfSecretIsExcused: the limit of the start counts from the creation of the Job's
// Secret, for which its pod waits.
func TestAbsenceOfSecretIsExcused(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullTime: 15 * time.Minute})
		killedBeforeSecret(w, withFile("x"), 19*time.Minute)
		p := w.Worker()
		time.AfterFunc(5*time.Minute, p.Kill)
		_, err := kontinue.RunScript(p.ExecutionContext(), withFile("x"))
		require.ErrorIs(w, err, simtest.ErrKilled)
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), withFile("x"))
		require.NoError(w, err)
		require.NoError(w, r.Err())
		require.Empty(w, r.Drift())
		w.RequireRanOnce(map[string]int{"a": 1})
	})
}

// TestLimitHoldsFromSecretOn: what comes after it is bounded.
func TestLimitHoldsFromSecretOn(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullTime: containers.Forever})
		killedBeforeSecret(w, withFile("x"), 19*time.Minute)
		began := time.Now()
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), withFile("x"))
		require.NoError(w, err)
		requireGivenUp(w, r, "", "has not started")
		require.InDelta(w, (20 * time.Minute).Seconds(), time.Since(began).Seconds(), 120)
	})
}

// TestSecretOfOtherFilesIsNotCreated: the function has changed, and no pod runs with a mix of
// both versions. It is given up, and a retry runs the new one.
func TestSecretOfOtherFilesIsNotCreated(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		killedBeforeSecret(w, withFile("old"), time.Minute)
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), withFile("new"))
		require.NoError(w, err)
		requireGivenUp(w, r, "FailedMount", "not found")
		require.NotEmpty(w, r.Drift())
		w.Execution.Attempts, w.Execution.ChildPolicy = 1, kontinue.ChildPolicyRetryFailed
		r, err = kontinue.RunScript(w.Worker().ExecutionContext(), withFile("new"))
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}
