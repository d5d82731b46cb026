package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func newSandbox(t *testing.T) *Sandbox {
	t.Helper()
	s, err := New(testContext(t), testConfig(newDir(t)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(testContext(t))) })
	return s
}

// inside runs a shell script in the sandbox and returns what it prints.
func inside(t *testing.T, s *Sandbox, script string) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := s.Run(Command{
		Name: "script", Group: "b", Log: log,
		Args: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
	})
	require.NoError(t, err)
	require.NoError(t, p.Wait(testContext(t)))
	out, err := os.ReadFile(log)
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

func TestProgramsHaveAPrivateMachine(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	require.Equal(t, "pause", inside(t, s, "cat /proc/1/comm"))
	require.Equal(t, "/b", inside(t, s, "grep -E ':(pids|):|^0::' /proc/self/cgroup | head -1 | cut -d: -f3"))
	require.Equal(t, "lo node0 node1", inside(t, s, "echo $(ls /sys/class/net)"))
	require.Equal(t, "1", inside(t, s, "cat /proc/sys/vm/overcommit_memory"))
	require.Equal(t, "nameserver 127.0.0.1", inside(t, s, "cat /etc/resolv.conf"))

	inside(t, s, "touch /var/lib/kubelet/x /run/y")
	require.FileExists(t, filepath.Join(s.dir, "kubelet", "x"))
	require.NoFileExists(t, "/run/y")
}

func TestHostSettingsStay(t *testing.T) {
	t.Parallel()
	const setting = "/proc/sys/kernel/panic"
	before, err := os.ReadFile(setting)
	require.NoError(t, err)
	s := newSandbox(t)
	require.Equal(t, "77", inside(t, s, "echo 77 >"+setting+"; cat "+setting))
	after, err := os.ReadFile(setting)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

func TestNetworkIsIsolated(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	ctx := testContext(t)
	listener, err := s.Listen(ctx, "tcp", "10.88.0.1:0")
	require.NoError(t, err)
	defer listener.Close()

	_, err = (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	require.Error(t, err, "the host must not reach the sandbox's network")

	client, err := s.DialContext(ctx, "tcp", listener.Addr().String())
	require.NoError(t, err)
	server, err := listener.Accept()
	require.NoError(t, err)
	_, err = client.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, client.Close())
	got, err := io.ReadAll(server)
	require.NoError(t, err)
	require.NoError(t, server.Close())
	require.Equal(t, "hello", string(got))

	// The goroutines of this test are back on the host's network.
	host, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, host.Close())
	_, err = s.DialContext(ctx, "tcp", host.Addr().String())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestKillSparesExcludedGroups(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	a, err := s.Run(sleeper(s.dir))
	require.NoError(t, err)
	spared := sleeper(s.dir)
	spared.Group = "b"
	b, err := s.Run(spared)
	require.NoError(t, err)
	require.NoError(t, poll(testContext(t), func() (bool, error) {
		pids, err := s.cgroup.pids(initGroup)
		return len(pids) == 6, fmt.Errorf("%v %w", pids, err) // a shell and two sleeps, twice
	}))

	require.NoError(t, s.Kill(testContext(t), "b"))
	<-a.Done()
	require.ErrorContains(t, a.Err(), "sleeper ended (signal: killed)")
	require.True(t, b.Running())
	require.NoError(t, b.Err())
	pids, err := s.cgroup.pids(initGroup)
	require.NoError(t, err)
	require.Len(t, pids, 3)
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	s, err := New(testContext(t), testConfig(dir))
	require.NoError(t, err)
	p, err := s.Run(sleeper(dir))
	require.NoError(t, err)
	require.NoError(t, p.Signal(syscall.SIGSTOP), "a stopped process must be killed, too")
	inside(t, s, "mkdir -p /sys/fs/cgroup/pids/deep/deeper /sys/fs/cgroup/deep/deeper 2>/dev/null; mount -t tmpfs x /mnt")

	require.NoError(t, s.Close(testContext(t)))
	require.NoError(t, s.Close(testContext(t)), "twice")
	<-p.Done()
	requireGone(t, dir)
	_, err = s.Run(sleeper(dir))
	require.ErrorIs(t, err, errThreadStopped)
}

// requireGone checks that a sandbox has left nothing on the host.
func requireGone(t *testing.T, dir string) {
	t.Helper()
	require.NoDirExists(t, dir)
	group, err := findCgroup(testConfig(dir).Cgroup)
	require.NoError(t, err)
	for _, h := range group.hierarchies {
		require.NoDirExists(t, filepath.Join(h.mountpoint, group.name))
	}
	mounts, err := os.ReadFile(mountInfo)
	require.NoError(t, err)
	require.NotContains(t, string(mounts), dir)
}

func TestFailedNewLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	config := testConfig(dir)
	config.Addresses = []string{"not an address"}
	_, err := New(testContext(t), config)
	require.ErrorContains(t, err, "not an address")
	requireGone(t, dir)

	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	dir = newDir(t)
	_, err = New(ctx, testConfig(dir))
	require.ErrorIs(t, err, context.Canceled)
	requireGone(t, dir)
}

func TestOwnersDeathEndsTheSandbox(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerEnv+"="+dir)
	stdout, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	group, err := findCgroup(testConfig(dir).Cgroup)
	require.NoError(t, err)
	pids, err := group.pids()
	require.NoError(t, err)
	require.NotEmpty(t, pids)

	require.NoError(t, owner.Process.Kill())
	require.Error(t, owner.Wait())
	// Only the kernel kills them.
	require.NoError(t, poll(testContext(t), func() (bool, error) {
		pids, err := group.pids()
		return err == nil && len(pids) == 0, fmt.Errorf("still there: %v %w", pids, err)
	}))
	require.DirExists(t, dir)
	require.NoError(t, Sweep(testContext(t), group.name, dir))
	requireGone(t, dir)
}

func TestCheckDir(t *testing.T) {
	t.Parallel()
	require.NoError(t, CheckDir("/tmp/x"))
	require.NoError(t, CheckDir("/var/library"))
	for _, dir := range []string{"/run/x", "/var/lib", "/var/lib/x", "/proc/1", "relative"} {
		require.Error(t, CheckDir(dir), dir)
	}
}
