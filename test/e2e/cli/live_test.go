package cli

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// live is a program that is still running.
type live struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
}

// start starts kubectl in the site's namespace. It is killed at the end of the test, if it
// is still running.
func (s *site) start(t *testing.T, args ...string) *live {
	t.Helper()
	cmd := s.command(t, programs.kubectl, append([]string{"--namespace", s.namespace}, args...)...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	l := &live{cmd: cmd, lines: bufio.NewReader(stdout)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, l.lines)
		_ = cmd.Wait()
	})
	return l
}

// until reads lines until one has the text.
func (l *live) until(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := l.lines.ReadString('\n')
		require.NoError(t, err, "waiting for %q", text)
		if strings.Contains(line, text) {
			return
		}
	}
}

// TestWatch: kubectl get -w shows what happens while it happens.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := newDev(t)
	jobs, pods := s.start(t, "get", "jobs", "-w"), s.start(t, "get", "pods", "-w")
	require.Zero(t, s.kubectl(t, edited(job, "IMAGE", s.image), "apply", "-f", "-").code)
	jobs.until(t, "Running")
	pods.until(t, "Pending")
	pods.until(t, "Completed")
	jobs.until(t, "Complete")
}

// TestFollow: kubectl logs -f shows a line when it is written, and ends with the container.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := newDev(t)
	release := filepath.Join(t.TempDir(), "go")
	manifest := edited(edited(job, "IMAGE", s.image), "echo two", "until [ -e "+release+" ]; do sleep 0.1; done; echo two")
	require.Zero(t, s.kubectl(t, manifest, "apply", "-f", "-").code)
	s.must(t, "wait", "--for=condition=ready", "pod", "-l", "app=a", "--timeout=60s")
	log := s.start(t, "logs", "-f", "job/a")
	log.until(t, "one")
	require.NoError(t, os.WriteFile(release, nil, 0o600))
	log.until(t, "two")
	_, err := log.lines.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// TestConnections: the cluster in memory says that it has no connections to containers.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := newDev(t)
	require.Zero(t, s.kubectl(t, edited(edited(job, "IMAGE", s.image), "echo two", "sleep 600"), "apply", "-f", "-").code)
	s.must(t, "wait", "--for=condition=ready", "pod", "-l", "app=a", "--timeout=60s")
	pod := s.must(t, "get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
	for _, tc := range []struct {
		sub  string
		args []string
	}{
		{"exec", []string{"exec", pod, "--", "ls"}},
		{"exec", []string{"cp", pod + ":/etc/hosts", t.TempDir() + "/hosts"}},
		{"portforward", []string{"port-forward", pod, "8080:80"}},
		{"attach", []string{"attach", pod}},
	} {
		r := s.kubectl(t, "", tc.args...)
		require.Equal(t, 1, r.code, "%s", r.out)
		require.Contains(t, r.errOut, "this cluster in memory does not serve pods/"+tc.sub+": its containers are local processes or scripts")
	}
	r := s.kubectl(t, "", "exec", "nope", "--", "ls")
	require.Contains(t, r.errOut, `Error from server (NotFound): pods "nope" not found`)
	require.Contains(t, s.must(t, "auth", "can-i", "--list"), "*.*")
	require.Contains(t, s.must(t, "auth", "whoami"), "kubernetes-admin")
}
