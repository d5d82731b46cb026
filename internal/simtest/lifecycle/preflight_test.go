package lifecycle_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/simtest"
	"github.com/kontinue/kontinue/logs"
)

// TestStartNamesAllMissingRights, also those that the first step would need much later, and
// can be called again when they are granted.
func TestStartNamesAllMissingRights(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		server := w.Cluster.APIServer()
		undo := []func(){
			server.Deny(apiserver.Match{User: "worker", Verb: "patch", Resource: "jobs"}),
			server.Deny(apiserver.Match{User: "worker", Resource: "pods/log"}),
		}
		client, _ := w.NewClient("worker", nil)
		err := client.Start(w.Context())
		require.ErrorIs(w, err, kontinue.ErrMissingRights)
		require.True(w, apierrors.IsForbidden(err))
		require.ErrorContains(w, err, "kontinue: start: rights are missing: worker cannot patch jobs.batch, get pods/log in namespace ns")
		require.Zero(w, server.Stats().Opened("worker", ""), "no watch was opened")
		for _, grant := range undo {
			grant()
		}
		require.NoError(w, client.Start(w.Context()))

		asked := server.Stats().Count("worker", "create", "selfsubjectaccessreviews")
		require.NoError(w, client.Start(w.Context()), "it is idempotent")
		w.StopClient(client)
		require.ErrorIs(w, client.Start(w.Context()), kontinue.ErrNotRunning)
		require.Equal(w, asked, server.Stats().Count("worker", "create", "selfsubjectaccessreviews"))
	})
}

// TestStartNamesWhatIsKnown: a rate limit of the caller's, or an authorizer that fails, leaves
// some answers out. What was denied is missing.
func TestStartNamesWhatIsKnown(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.APIServer().Deny(apiserver.Match{User: "worker", Verb: "patch", Resource: "jobs"})
		client, log := w.NewClient("worker", func(c *kontinue.Config) {
			c.Namespace, c.Namespaces = "", []string{"ns", "b", "c", "d", "e", "f", "g", "h"}
			c.RESTConfig.QPS = 5
		})
		err := client.Start(w.Context())
		require.ErrorIs(w, err, kontinue.ErrMissingRights)
		require.ErrorContains(w, err, "worker cannot patch jobs.batch in namespace ")
		require.Contains(w, log.String(), "Waited before sending request", "client-go's lines are the logger's")
	})
}

func TestStartWithoutOptionalRights(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.APIServer().Deny(apiserver.Match{User: "worker", Resource: "events"})
		client, log := w.NewClient("worker", nil)
		require.NoError(w, client.Start(w.Context()))
		const line = `.*an optional right is missing: see deploy/rbac-optional.yaml" right="%s events" namespace=ns without=.*\n`
		require.Regexp(w, `\A`+fmt.Sprintf(line, "list")+fmt.Sprintf(line, "create")+`\z`, log.Warnings())
	})
}

func TestSkipPreflight(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		server := w.Cluster.APIServer()
		server.Deny(apiserver.Match{User: "worker", Verb: "patch", Resource: "jobs"})
		client, _ := w.NewClient("worker", func(c *kontinue.Config) { c.SkipPreflight = true })
		require.NoError(w, client.Start(w.Context()))
		require.Zero(w, server.Stats().Count("worker", "create", "selfsubjectaccessreviews"))
	})
}

// TestUnknownContainerWithoutTheRight: the containers of a pod are those of the result. The
// right to get pods is none of a worker's.
func TestUnknownContainerWithoutTheRight(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		server := w.Cluster.APIServer()
		server.Deny(apiserver.Match{User: "worker", Verb: "get", Resource: "pods"})
		owner := w.Worker().ExecutionContext().Execution().Owner
		client, _ := w.NewClient("worker", nil)
		require.NoError(w, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), kontinue.Execution{Owner: owner})
		require.NoError(w, err)
		result, err := kontinue.RunScript(ktx, simtest.Script("works", "true"))
		require.NoError(w, err)
		_, err = result.Logs(ktx, &kontinue.LogOptions{Container: "absent"})
		require.ErrorIs(w, err, logs.ErrContainerUnknown)
		require.ErrorContains(w, err, "(the pod has: script)")
		require.Zero(w, server.Stats().Count("worker", "get", "pods"))
	})
}
