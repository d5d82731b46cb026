package devcluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

// startWith starts a cluster that is stopped with the test.
func startWith(t *testing.T, opts devcluster.Options) *devcluster.Cluster {
	t.Helper()
	cluster, err := devcluster.Start(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(cluster.Stop)
	return cluster
}

// newClient returns a started client, which is stopped with the test.
func newClient(t *testing.T, cluster *devcluster.Cluster) *kontinue.Client {
	t.Helper()
	client, err := kontinue.New(kontinue.Config{RESTConfig: cluster.RESTConfig(), Namespace: "default"})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.Stop(context.WithoutCancel(t.Context()))) })
	return client
}

// run returns the context of a run of a new Execution.
func run(t *testing.T, cluster *devcluster.Cluster) *kontinue.ExecutionContext {
	t.Helper()
	execution, err := cluster.NewExecution(t.Context(), "default", "release")
	require.NoError(t, err)
	ktx, err := newClient(t, cluster).NewExecutionContext(t.Context(), execution)
	require.NoError(t, err)
	return ktx
}

func script(ktx *kontinue.ExecutionContext, name, command string) (*kontinue.PodResult, error) {
	return kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: name}, Image: "alpine:3", Command: command,
	})
}

func TestStartRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for says, opts := range map[string]devcluster.Options{
		`containers "Docker": want "Processes" or "Scripts"`: {Containers: "Docker"},
		"group batch is one of Kubernetes":                   {Kinds: []devcluster.Kind{{Group: "batch", Version: "v1", Kind: "Execution"}}},
	} {
		_, err := devcluster.Start(t.Context(), opts)
		require.ErrorContains(t, err, "devcluster: options: ")
		require.ErrorContains(t, err, says)
	}
}

// TestNamespaces: one that does not exist has no objects, as on every cluster.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	cluster := start(t)
	_, err := cluster.NewExecution(t.Context(), "ci", "release")
	require.ErrorContains(t, err, `devcluster: create ConfigMap ci/release for an Execution: namespaces "ci" not found`)
	require.True(t, apierrors.IsNotFound(err))
	_, err = cluster.Clientset().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ci"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	execution, err := cluster.NewExecution(t.Context(), "ci", "release")
	require.NoError(t, err)
	require.Equal(t, "ci", execution.Namespace)
	_, err = cluster.NewExecution(t.Context(), "", "release")
	require.ErrorContains(t, err, "the namespace is empty")
}

// TestNewExecution: a program that starts again gets the same Execution.
func TestNewExecution(t *testing.T) {
	t.Parallel()
	cluster := start(t)
	first, err := cluster.NewExecution(t.Context(), "default", "release")
	require.NoError(t, err)
	again, err := cluster.NewExecution(t.Context(), "default", "release")
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.NoError(t, cluster.Clientset().CoreV1().ConfigMaps("default").Delete(t.Context(), "release", metav1.DeleteOptions{}))
	other, err := cluster.NewExecution(t.Context(), "default", "release")
	require.NoError(t, err)
	require.NotEqual(t, first.Owner.UID, other.Owner.UID)

	// One that is going is no object to own Jobs.
	held, err := cluster.Clientset().CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"example.com/hold"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, cluster.Clientset().CoreV1().ConfigMaps("default").Delete(t.Context(), held.Name, metav1.DeleteOptions{}))
	_, err = cluster.NewExecution(t.Context(), "default", held.Name)
	require.ErrorContains(t, err, "is being deleted")
}

// TestKinds: a custom resource owns Jobs.
func TestKinds(t *testing.T) {
	t.Parallel()
	cluster := startWith(t, devcluster.Options{Kinds: []devcluster.Kind{{Group: "example.com", Version: "v1", Kind: "Release", Status: true}}})
	resources, err := dynamic.NewForConfig(cluster.RESTConfig())
	require.NoError(t, err)
	made, err := resources.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "releases"}).
		Namespace("default").Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Release", "metadata": map[string]any{"name": "app"},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	ktx, err := newClient(t, cluster).NewExecutionContext(t.Context(), kontinue.Execution{
		Owner: *metav1.NewControllerRef(made, made.GroupVersionKind()),
	})
	require.NoError(t, err)
	result, err := script(ktx, "s", "exit 3")
	require.NoError(t, err)
	var failed *kontinue.ExitError
	require.ErrorAs(t, result.Err(), &failed)
	require.EqualValues(t, 3, failed.ExitCode)
}

// TestScripts plays a step in virtual time, with and without the delays of a real cluster.
func TestScripts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		opts devcluster.Options
		took time.Duration
	}{
		"at once":     {devcluster.Options{Containers: devcluster.Scripts}, time.Hour},
		"real delays": {devcluster.Options{Containers: devcluster.Scripts, RealDelays: true}, time.Hour + 700*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cluster := startWith(t, tc.opts)
				require.NoError(t, cluster.Play(devcluster.Job("s").Run(time.Hour)))
				ktx := run(t, cluster)
				began := time.Now()
				result, err := script(ktx, "s", "sleep 3600")
				require.NoError(t, err)
				require.NoError(t, result.Err())
				require.Equal(t, tc.took, time.Since(began))
			})
		})
	}
}

func TestPlayNeedsScripts(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, start(t).Play(devcluster.Job("s")), `want a cluster with Containers "Scripts"`)
}

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	cluster := start(t)
	broken := errors.New("connection reset by peer")
	for says, err := range map[string]error{
		`verb "creat", resource "jobs"`:      cluster.FailRequests("creat", "jobs", 1, broken),
		`verb "create", resource "job"`:      cluster.LoseAnswers("create", "job", 1, broken),
		`verb "list", resource "job"`:        cluster.Deny("list", "job"),
		`verb "create", resource "pods/log"`: cluster.FailRequests("create", "pods/log", 1, broken),
		"-1 requests":                        cluster.FailRequests("create", "jobs", -1, broken),
		"the cause is nil":                   cluster.FailRequests("create", "jobs", 1, nil),
		"delete pod default/none":            cluster.DeletePod(t.Context(), "default", "none"),
		"evict pod default/none":             cluster.EvictPod(t.Context(), "default", "none"),
	} {
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "devcluster: ")
	}
	require.NoError(t, cluster.FailRequests("", "", 1, broken))
	require.NoError(t, cluster.FailRequests("get", "pods/log", 0, broken))
	_, err := cluster.Clientset().BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err, "no fault applies to the program's own client")
}

// TestNodeRestarts: what ran on a node that lost its power has died, which shows once it is
// back.
func TestNodeRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := startWith(t, devcluster.Options{Containers: devcluster.Scripts})
		require.NoError(t, cluster.Play(devcluster.Job("s").Run(time.Hour)))
		ktx := run(t, cluster)
		step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "true"})
		require.NoError(t, err)
		synctest.Wait()
		began := time.Now()
		require.NoError(t, cluster.KillNode(t.Context()))
		<-time.After(time.Minute)
		require.NoError(t, cluster.RestartNode(t.Context()))
		result, err := step.Wait(t.Context())
		require.NoError(t, err)
		require.Error(t, result.Err())
		require.Less(t, time.Since(began), time.Hour)
	})
}
