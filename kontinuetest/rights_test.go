package kontinuetest_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// TestDeny: a client without its rights does not start, also in the process after a crash.
func TestDeny(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kontinuetest.New(t)
		cluster.Deny("patch", "jobs")
		cluster.Deny("watch", "pods")
		start := func() {
			client, err := kontinue.New(cluster.Config())
			require.NoError(t, err)
			err = client.Start(cluster.Context())
			require.ErrorIs(t, err, kontinue.ErrMissingRights)
			require.ErrorContains(t, err, "patch jobs")
			require.ErrorContains(t, err, "watch pods")
			require.NotContains(t, err.Error(), "list pods")
		}
		start()
		cluster.Crash()
		start()
	})
}

// TestDenyLater: a right that is taken from a client that runs fails the step that needs it.
func TestDenyLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kontinuetest.New(t)
		ktx := cluster.Run(cluster.NewExecution("release-42"))
		cluster.Deny("create", "jobs")
		_, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "alpine:3", Command: "true"})
		require.True(t, apierrors.IsForbidden(err), err)
		require.ErrorContains(t, err, "grant verb create on jobs.batch")
	})
}
