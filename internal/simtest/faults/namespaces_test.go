package faults_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// clusterWide are the requests that a ClusterRole allows and a Role does not.
var clusterWide = apiserver.Match{User: "worker", AllNamespaces: true}

// executions creates one in each of the namespaces.
func executions(w *simtest.World, name string, namespaces ...string) (all []kontinue.Execution) {
	w.Helper()
	for _, namespace := range namespaces {
		owner, err := w.Cluster.CreateOwner(w.Context(), namespace, name)
		require.NoError(w, err)
		all = append(all, kontinue.Execution{Namespace: namespace, Owner: owner})
	}
	return all
}

// runAll runs a step of each of the Executions at a time.
func runAll(ctx context.Context, client *kontinue.Client, all []kontinue.Execution) error {
	errs := make(chan error, len(all))
	for _, execution := range all {
		go func() { errs <- runOne(ctx, client, execution) }()
	}
	var joined error
	for range all {
		joined = errors.Join(joined, <-errs)
	}
	return joined
}

func runOne(ctx context.Context, client *kontinue.Client, execution kontinue.Execution) error {
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		return err
	}
	r, err := kontinue.RunScript(ktx, simtest.Script("work", "true"))
	if err == nil && r.Pod.Namespace != execution.Namespace {
		return fmt.Errorf("the pod is in namespace %q", r.Pod.Namespace)
	}
	return err
}

// TestClientOfSeveralNamespaces: as many watches as its rights allow few, and steps in each
// namespace.
func TestClientOfSeveralNamespaces(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(*kontinue.Config)
		denied  bool
		watches int
	}{
		"a list":                     {func(c *kontinue.Config) { c.Namespaces = []string{"a", "b", "c"} }, false, 2},
		"a list, and only Roles":     {func(c *kontinue.Config) { c.Namespaces = []string{"a", "b", "c"} }, true, 6},
		"a list of one, and a Role":  {func(c *kontinue.Config) { c.Namespaces = []string{"a"} }, true, 2},
		"all":                        {func(c *kontinue.Config) { c.AllNamespaces = true }, false, 2},
		"one namespace, with a Role": {func(c *kontinue.Config) { c.Namespace = "a" }, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{Step: "work"}, containers.Script{Run: time.Minute})
				if tc.denied {
					w.Cluster.APIServer().Deny(clusterWide)
				}
				client, log := w.NewClient("worker", func(c *kontinue.Config) {
					c.Namespace = ""
					tc.change(c)
				})
				require.NoError(w, client.Start(w.Context()))
				require.NoError(w, client.Healthy())
				require.Equal(w, tc.watches, w.Cluster.APIServer().Stats().Active("worker", ""))
				all := executions(w, "release", "a", "b", "c")
				if tc.watches == 2 && tc.denied {
					all = all[:1]
				}
				require.NoError(w, runAll(w.Context(), client, all))
				require.Empty(w, log.Warnings())
				require.Zero(w, w.StopClient(client))
				w.Sleep(time.Second) // the server sees that the connections are closed
				require.Zero(w, w.Cluster.APIServer().Stats().Active("worker", ""))
			})
		})
	}
}

// TestRightsOfOneNamespaceAreMissing: Start fails with its name, and succeeds when they are
// granted.
func TestRightsOfOneNamespaceAreMissing(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		server := w.Cluster.APIServer()
		server.Deny(clusterWide)
		grant := server.Deny(apiserver.Match{User: "worker", Verb: "watch", Resource: "pods", Namespace: "b"})
		client, _ := w.NewClient("worker", func(c *kontinue.Config) { c.Namespace, c.Namespaces = "", []string{"a", "b"} })
		began := time.Now()
		err := client.Start(w.Context())
		require.ErrorContains(w, err, `watch pods in namespace "b"`)
		require.ErrorContains(w, err, `grant verb "watch" on resource "pods"`)
		require.Less(w, time.Since(began), time.Second)
		w.Sleep(time.Second)
		require.Zero(w, server.Stats().Active("worker", ""))
		require.ErrorIs(w, client.Healthy(), kontinue.ErrNotRunning)

		grant()
		require.NoError(w, client.Start(w.Context()))
		require.NoError(w, runAll(w.Context(), client, executions(w, "release", "a", "b")))
		require.Zero(w, w.StopClient(client))
	})
}

// TestOutageOfOneNamespace: while its watches are down the steps of other namespaces get their
// ends at once; its own do when the watches are back, at the latest.
func TestOutageOfOneNamespace(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		server := w.Cluster.APIServer()
		server.Deny(clusterWide)
		w.Cluster.On(containers.Match{Step: "work"}, containers.Script{Run: time.Minute})
		client, _ := w.NewClient("worker", func(c *kontinue.Config) { c.Namespace, c.Namespaces = "", []string{"a", "b"} })
		require.NoError(w, client.Start(w.Context()))
		all := executions(w, "release", "a", "b")
		require.NoError(w, runAll(w.Context(), client, all))

		undo := server.AddFault(apiserver.Fault{Match: apiserver.Match{User: "worker", Namespace: "b", Verb: "watch"}, Before: simtest.ErrRefused})
		server.CutWatches(apiserver.WatchMatch{User: "worker"})
		w.Sleep(10 * time.Second)
		err := client.Healthy()
		require.ErrorContains(w, err, `in namespace "b"`)
		require.NotContains(w, err.Error(), `in namespace "a"`)
		again := executions(w, "again", "a", "b")
		began := time.Now()
		time.AfterFunc(10*time.Minute, undo)
		done := make(chan error, 1)
		go func() { done <- runAll(w.Context(), client, again[1:]) }()
		require.NoError(w, runAll(w.Context(), client, again[:1]))
		require.Less(w, time.Since(began), 2*time.Minute)
		require.NoError(w, <-done)
		require.Less(w, time.Since(began), 11*time.Minute)
		w.Sleep(11 * time.Minute)
		require.NoError(w, client.Healthy())
		require.Zero(w, w.StopClient(client))
	})
}

// TestForeignJobsOfTheGroup: a client of a list that watches the whole cluster does nothing
// with those in other namespaces, at its start and later.
func TestForeignJobsOfTheGroup(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "work"}, containers.Script{Run: time.Hour})
		other, _ := w.NewClient("other", func(c *kontinue.Config) { c.Namespace = "foreign" })
		require.NoError(w, other.Start(w.Context()))
		foreign := executions(w, "release", "foreign")
		done := make(chan error, 1)
		go func() { done <- runAll(w.Context(), other, foreign) }()
		w.Sleep(time.Minute)
		client, log := w.NewClient("worker", func(c *kontinue.Config) { c.Namespace, c.Namespaces = "", []string{"a", "b"} })
		require.NoError(w, client.Start(w.Context()))
		require.NoError(w, runAll(w.Context(), client, executions(w, "release", "a", "b")))
		require.NoError(w, <-done)
		require.Empty(w, log.Warnings())
		_, err := client.NewExecutionContext(w.Context(), foreign[0])
		require.ErrorIs(w, err, kontinue.ErrInvalid)
		list, err := w.Admin().BatchV1().Jobs(metav1.NamespaceAll).List(w.Context(), metav1.ListOptions{})
		require.NoError(w, err)
		require.Len(w, list.Items, 3)
		for _, user := range []string{"worker", "other"} {
			stats := w.Cluster.APIServer().Stats()
			require.Equal(w, stats.Count(user, "create", "jobs"), stats.Count(user, "patch", "jobs"), user)
		}
		require.Zero(w, w.StopClient(client))
	})
}
