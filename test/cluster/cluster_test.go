package cluster_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/test/cluster"
)

func TestNode(t *testing.T) {
	t.Parallel()
	c, client := start(t, cluster.Options{NodeMonitorGracePeriod: 8 * time.Second, EvictionDelay: time.Second})
	t.Run("workloads", func(t *testing.T) { testWorkloads(t, c, client) })
	t.Run("kubelet restarts", func(t *testing.T) { testKubeletRestart(t, c, client) })
	t.Run("node is lost", func(t *testing.T) { testNodeLoss(t, c, client) })
}

// TestTwoClusters runs two clusters in one state directory, while that of TestNode is
// running, too.
func TestTwoClusters(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	one, oneClient := start(t, cluster.Options{StateDir: dir, Name: "one", ControlPlaneOnly: true, Audit: true})
	two, twoClient := start(t, cluster.Options{StateDir: dir, Name: "two", ControlPlaneOnly: true})
	ctx := testContext(t)

	require.NoError(t, one.CreateNamespace(ctx, "only-one"))
	namespaces, err := twoClient.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	for _, namespace := range namespaces.Items {
		require.NotEqual(t, "only-one", namespace.Name)
	}
	_, err = cluster.Start(ctx, cluster.Options{StateDir: dir, Name: "two", ControlPlaneOnly: true})
	require.ErrorIs(t, err, cluster.ErrNameTaken)

	t.Run("kubeconfig", func(t *testing.T) {
		for _, user := range []cluster.User{cluster.Admin, cluster.Worker} {
			config, err := clientcmd.BuildConfigFromFlags("", two.Kubeconfig(user))
			require.NoError(t, err)
			version, err := kubernetes.NewForConfigOrDie(config).Discovery().ServerVersion()
			require.NoError(t, err)
			require.Equal(t, two.Version(), version.GitVersion)
		}
	})
	t.Run("admission", func(t *testing.T) { testAdmission(t, one, oneClient) })
	t.Run("API server faults", func(t *testing.T) { testAPIServerFaults(t, two, twoClient) })
	t.Run("audit log", func(t *testing.T) {
		audit, err := os.ReadFile(filepath.Join(one.LogDir(), "audit.log"))
		require.NoError(t, err)
		require.Contains(t, string(audit), `"requestURI":"/api/v1/namespaces","verb":"create"`)
	})
	t.Run("no node", func(t *testing.T) {
		require.Error(t, one.KillNode(ctx))
		require.Zero(t, one.Pid(cluster.Kubelet))
		create(t, oneClient, job("pending", "true"))
		podOf(t, oneClient, namespace, "pending", podPending)
	})
}

func TestOwnerIsKilled(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	owner, kubeconfig := startOwner(t, dir)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	client := kubernetes.NewForConfigOrDie(config)
	create(t, client, job("survivor", "sleep 1000"))
	podOf(t, client, namespace, "survivor", podRunning)
	require.NotEmpty(t, processes(t, dir))

	require.NoError(t, owner.Process.Kill())
	require.Error(t, owner.Wait())
	eventually(t, func(context.Context) error { return noProcesses(t, dir) })
	require.NoError(t, cluster.Down(testContext(t), dir, "other"), "removes stale clusters whatever their name")
	requireGone(t, dir, ownedName)
}

func TestDown(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, cluster.Down(testContext(t), filepath.Join(dir, "none"), "none"))
	owner, _ := startOwner(t, dir)
	ended := make(chan error)
	go func() { ended <- owner.Wait() }()
	require.NoError(t, cluster.Down(testContext(t), dir, ownedName))
	require.ErrorContains(t, <-ended, "terminated")
	requireGone(t, dir, ownedName)
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	_, err := cluster.Start(testContext(t), cluster.Options{
		StateDir: dir, Name: "broken", ControlPlaneOnly: true,
		ExtraArgs: map[cluster.Component][]string{cluster.Etcd: {"--no-such-flag"}},
	})
	require.ErrorContains(t, err, "etcd ended (exit status 2)")
	require.ErrorContains(t, err, "no-such-flag", "the log's tail")
	requireGone(t, dir, "broken")

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err = cluster.Start(ctx, cluster.Options{StateDir: dir, Name: "late"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	requireGone(t, dir, "late")

	for _, options := range []cluster.Options{
		{Name: "Not Valid"}, {Name: strings.Repeat("x", 31)}, {StateDir: "/var/lib/x"}, {LogDir: "/run/x"},
		{NodeMonitorGracePeriod: time.Millisecond},
	} {
		_, err := cluster.Start(testContext(t), options)
		require.Error(t, err, "%+v", options)
	}
}

// requireGone checks that a cluster has left nothing on the machine.
func requireGone(t *testing.T, stateDir, name string) {
	t.Helper()
	require.NoDirExists(t, filepath.Join(stateDir, name))
	require.NoError(t, noProcesses(t, filepath.Join(stateDir, name)))
	groups, err := filepath.Glob("/sys/fs/cgroup/*kontinue-" + name + "-*")
	require.NoError(t, err)
	nested, err := filepath.Glob("/sys/fs/cgroup/*/kontinue-" + name + "-*")
	require.NoError(t, err)
	require.Empty(t, append(groups, nested...))
	for path, before := range hostPaths {
		require.Equal(t, before, exists(path), "a cluster wrote to %s of the host", path)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), stateDir)
}

// hostPaths are the default paths of components, and whether they existed on the
// machine before the tests.
var hostPaths = func() map[string]bool {
	paths := map[string]bool{}
	for _, path := range []string{
		"/var/lib/cni", "/var/lib/kubelet", "/var/lib/containerd", "/opt/containerd", "/run/containerd",
		"/run/netns", "/var/log/containers", "/var/log/pods", "/etc/cni", "/etc/containerd",
	} {
		paths[path] = exists(path)
	}
	return paths
}()

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// processes returns the command lines of all processes with a directory in their
// arguments or environment.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		environ, _ := os.ReadFile(file) // it may have ended
		cmdline, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err == nil && strings.Contains(string(cmdline)+string(environ), dir) {
			found = append(found, string(cmdline))
		}
	}
	return found
}

func noProcesses(t *testing.T, dir string) error {
	t.Helper()
	if found := processes(t, dir); len(found) > 0 {
		return leftoverError(found)
	}
	return nil
}

type leftoverError []string

func (e leftoverError) Error() string { return "still running: " + strings.Join(e, "; ") }
