//go:build unix

package devcluster_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

func startData(t *testing.T, dir string) *devcluster.Cluster {
	t.Helper()
	cluster, err := devcluster.Start(t.Context(), devcluster.Options{Data: dir})
	require.NoError(t, err)
	t.Cleanup(cluster.Stop)
	return cluster
}

// TestKill: a program with its cluster is killed while a step runs. When it starts again,
// the steps that had ended have their results and logs (work checks them) and do not run
// again, the one that ran has lost its node, and the next attempt runs it and the rest. A
// client with the old kubeconfig reaches the cluster.
func TestKill(t *testing.T) {
	t.Parallel()
	for killed := range steps {
		t.Run(fmt.Sprint("in step ", killed), func(t *testing.T) {
			t.Parallel()
			data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
			hangs := filepath.Join(dir, fmt.Sprint(killed, "-hangs"))
			require.NoError(t, os.WriteFile(hangs, nil, 0o600))
			p := startProgram(t, "work", data, dir)
			var child string
			require.Eventually(t, func() bool {
				pid, err := os.ReadFile(filepath.Join(dir, "child"))
				child = strings.TrimSpace(string(pid))
				return err == nil
			}, 2*time.Minute, 10*time.Millisecond)
			_, err := devcluster.Start(t.Context(), devcluster.Options{Data: data})
			require.ErrorIs(t, err, devcluster.ErrInUse)
			require.ErrorContains(t, err, fmt.Sprintf("stop process %d", p.cmd.Process.Pid))
			require.Empty(t, p.kill())
			require.NoError(t, os.Remove(hangs))

			cluster := startData(t, data)
			if runtime.GOOS == "linux" {
				environment, err := os.ReadFile("/proc/" + child + "/environ")
				require.True(t, err != nil || len(environment) == 0, "the process of a container is left")
			}
			owner, err := cluster.Clientset().CoreV1().ConfigMaps("default").Get(t.Context(), "execution", metav1.GetOptions{})
			require.NoError(t, err)
			again := execution(owner)
			again.Resumptions = 1
			results, err := work(t.Context(), cluster, dir, again)
			require.NoError(t, err)
			require.Len(t, results, killed+1)
			for i, result := range results[:killed] {
				require.NoError(t, result.Err(), "step %d", i)
			}
			require.ErrorIs(t, results[killed].Err(), kontinue.ErrNodeLost)

			again.Attempts, again.Resumptions, again.ChildPolicy = 1, 0, kontinue.ChildPolicyRetryFailed
			results, err = work(t.Context(), cluster, dir, again)
			require.NoError(t, err)
			require.Len(t, results, steps)
			var want strings.Builder
			for i := range steps {
				require.NoError(t, results[i].Err(), "step %d", i)
				fmt.Fprintln(&want, "run", i)
				if i == killed {
					fmt.Fprintln(&want, "run", i)
				}
			}
			runs, err := os.ReadFile(filepath.Join(dir, "runs"))
			require.NoError(t, err)
			require.Equal(t, want.String(), string(runs))

			config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
			require.NoError(t, err)
			address, err := url.Parse(config.Host)
			require.NoError(t, err)
			_, err = cluster.Serve(listen(t, address.Host), devcluster.ServeOptions{})
			require.NoError(t, err)
			_, err = newClientset(t, config).CoreV1().ConfigMaps("default").Get(t.Context(), "execution", metav1.GetOptions{})
			require.NoError(t, err)
		})
	}
}

// TestKillWhileWriting: what was answered before a kill is there after it.
func TestKillWhileWriting(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	answered := map[string]bool{}
	for round := range 4 {
		p := startProgram(t, "write", data)
		for range 50 * (round + 1) {
			answered[p.next()] = true
		}
		for _, line := range p.kill() {
			answered[line] = true
		}
	}
	list, err := startData(t, data).Clientset().CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, made := range list.Items {
		delete(answered, fmt.Sprint(made.Name, " ", made.UID, " ", made.ResourceVersion))
	}
	require.Empty(t, answered)
	require.GreaterOrEqual(t, len(list.Items), 500)
}

// TestFullDisk: a write that cannot be stored is refused and says why, reads work, and so do
// writes once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startProgram(t, "fill", data)
	var created int
	var refused bool
	line := p.next()
	_, err := fmt.Sscan(line, &created, &refused)
	require.NoError(t, err, line)
	require.True(t, refused)
	require.Contains(t, line, "the write is refused, since it cannot be stored: write "+data+"/objects.jsonl: file too large")
	require.Equal(t, fmt.Sprint(created), p.next())
	require.Equal(t, "<nil>", p.next())
	require.Equal(t, "<nil>", p.next())
	p.kill()
	list, err := startData(t, data).Clientset().CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, created+1)
}

// TestData: a cluster that was stopped continues, any number of times, and its files are for
// its owner only.
func TestData(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "a", "b")
	var created []string
	for i := range 3 {
		cluster := startData(t, data)
		maps := cluster.Clientset().CoreV1().ConfigMaps("default")
		list, err := maps.List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		var found []string
		for _, m := range list.Items {
			found = append(found, m.Name+string(m.UID))
		}
		require.Equal(t, created, found)
		made, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("m", i)}}, metav1.CreateOptions{})
		require.NoError(t, err)
		created = append(created, made.Name+string(made.UID))
		_, err = cluster.Serve(listen(t, "127.0.0.1:0"), devcluster.ServeOptions{})
		require.NoError(t, err)
		_, err = devcluster.Start(t.Context(), devcluster.Options{Data: data})
		require.ErrorIs(t, err, devcluster.ErrInUse)
		cluster.Stop()
		_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
		require.ErrorContains(t, err, "cannot be stored", "the next cluster would not have it")
	}
	require.NoError(t, filepath.WalkDir(data, func(path string, _ os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
		return nil
	}))
}

// TestDataRefused: a directory that cannot be used is an error that names the file and says
// what to do, and it is free afterwards.
func TestDataRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, content, want string }{
		"damaged": {"objects.jsonl", "{}\n", "objects.jsonl: line 1: the header is not that of a journal: the file is damaged"},
		"newer":   {"objects.jsonl", `{"format":"kontinue/objects","version":99}` + "\n", "newer version of kontinue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			path := filepath.Join(data, tc.file)
			require.NoError(t, os.WriteFile(path, []byte(tc.content), 0o600))
			_, err := devcluster.Start(t.Context(), devcluster.Options{Data: data})
			require.ErrorContains(t, err, tc.want)
			require.NoError(t, os.Remove(path))
			startData(t, data).Stop()
		})
	}
	data := t.TempDir()
	startData(t, data).Stop()
	require.NoError(t, os.WriteFile(filepath.Join(data, "authority.pem"), []byte("x"), 0o600))
	_, err := startData(t, data).Serve(listen(t, "127.0.0.1:0"), devcluster.ServeOptions{})
	require.ErrorContains(t, err, "authority.pem: the certificate authority is not complete: remove the file")
	_, err = devcluster.Start(t.Context(), devcluster.Options{Data: filepath.Join(data, "authority.pem")})
	require.ErrorContains(t, err, "not a directory")
}

// TestForeignDirectory: a cluster removes nothing from a directory that is not that of one.
func TestForeignDirectory(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lock string // content of a file of that name, none if empty
	}{
		"no lock":           {},
		"lock of something": {"held by the package manager\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			image := filepath.Join(dir, "containers", "image") // as below ~/.local/share
			require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o700))
			require.NoError(t, os.WriteFile(image, []byte("content"), 0o600))
			lock := filepath.Join(dir, "lock")
			if tc.lock != "" {
				require.NoError(t, os.WriteFile(lock, []byte(tc.lock), 0o600))
			}
			cluster, err := devcluster.Start(t.Context(), devcluster.Options{Data: dir})
			if err == nil {
				cluster.Stop()
			}
			require.FileExists(t, image)
			require.ErrorContains(t, err, dir+" is not empty, and no cluster has been there: use a new directory")
			if tc.lock == "" {
				require.NoFileExists(t, lock)
				return
			}
			content, err := os.ReadFile(lock)
			require.NoError(t, err)
			require.Equal(t, tc.lock, string(content))
		})
	}
}

// TestKilledEarly: a directory in which a program has got no further than its lock is that of
// a cluster.
func TestKilledEarly(t *testing.T) {
	t.Parallel()
	for name, holder := range map[string]string{"empty": "", "process": "1234\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "containers"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "lock"), []byte(holder), 0o600))
			startData(t, dir)
		})
	}
}
