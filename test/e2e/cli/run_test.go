package cli

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kontinue runs the program in the site's namespace.
func (s *site) kontinue(t *testing.T, args ...string) result {
	t.Helper()
	return s.run(t, "", programs.kontinue, args...)
}

// runArgs are the arguments of a run of a script.
func (s *site) runArgs(name, script string) []string {
	return []string{"run", "--namespace", s.namespace, "--image", s.image, "--name", name, "--", "sh", "-c", script}
}

// sites are a cluster in memory and a real one, with a namespace each.
func sites(t *testing.T, namespace string) []*site {
	t.Helper()
	memory, actual := newDev(t).in(t, namespace), newReal(t).in(t, namespace)
	t.Cleanup(func() { actual.must(t, "delete", "namespace", namespace, "--wait=false") })
	return []*site{memory, actual}
}

// TestRunInPipe runs steps in pipes, on both clusters.
func TestRunInPipe(t *testing.T) {
	t.Parallel()
	for _, s := range sites(t, "run-pipe") {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			args := s.runArgs("a", "echo out; exit 7")
			for range 2 {
				r := s.kontinue(t, args...)
				require.Equal(t, 7, r.code, r.errOut)
				require.Equal(t, "out\n", r.out)
				require.Contains(t, r.errOut, `run-pipe/a: failed`)
				require.Contains(t, r.errOut, "exit code 7: out")
				require.NotContains(t, r.errOut, "\x1b")
			}
			require.Equal(t, "1", s.must(t, "get", "jobs", "-o", "go-template={{len .items}}"), "nothing runs twice")
			retried := s.kontinue(t, append([]string{"run", "--retry"}, args[1:]...)...)
			require.Equal(t, 7, retried.code, retried.errOut)
			require.Equal(t, "2", s.must(t, "get", "jobs", "-o", "go-template={{len .items}}"))
			other := s.kontinue(t, s.runArgs("a", "echo other")...)
			require.Equal(t, 125, other.code)
			require.Contains(t, other.errOut, "was made from other options")

			s.must(t, "delete", "configmap", "a")
			s.must(t, "wait", "--for=delete", "jobs,pods", "--all", "--timeout=120s")
		})
	}
}

// TestRunIsInterrupted detaches from a run in a pipe and returns to it, on both clusters.
func TestRunIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, s := range sites(t, "run-interrupted") {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			args := s.runArgs("a", "trap 'exit 5' TERM; echo one; sleep 600 & wait")
			cmd := s.command(t, programs.kontinue, args...)
			var errOut bytes.Buffer
			cmd.Stderr = &errOut
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewReader(stdout)
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "one\n", line)
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
			_, err = io.Copy(io.Discard, lines)
			require.NoError(t, err)
			require.Error(t, cmd.Wait())
			require.Equal(t, 130, cmd.ProcessState.ExitCode(), errOut.String())
			require.Contains(t, errOut.String(), "which keeps running; repeat the call with --name a to return to it")

			back := s.command(t, programs.kontinue, args...)
			stdout, err = back.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, back.Start())
			lines = bufio.NewReader(stdout)
			line, err = lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "one\n", line, "the log begins with its first line")
			require.Equal(t, "1", s.must(t, "get", "jobs", "-o", "go-template={{len .items}}"))
			s.must(t, "delete", "configmap", "a", "--wait=false")
			_, err = io.Copy(io.Discard, lines)
			require.NoError(t, err)
			require.Error(t, back.Wait())
		})
	}
}

// TestPlugin: kubectl finds the program as its plugin, with its own flags.
func TestPlugin(t *testing.T) {
	t.Parallel()
	s := newDev(t)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(programs.kontinue, filepath.Join(dir, "kubectl-kontinue")))
	kubectl := func(args ...string) result {
		cmd := s.command(t, programs.kubectl, args...)
		cmd.Env = append(cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"))
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		_ = cmd.Run() // the exit code says it
		return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
	}
	r := kubectl("kontinue", "run", "--context", "kontinue-dev", "-n", "default", "--image", "busybox", "--", "sh", "-c", "echo plugin; exit 9")
	require.Equal(t, 9, r.code, r.errOut)
	require.Equal(t, "plugin\n", r.out)
	require.Contains(t, kubectl("kontinue", "run", "--help").out, "  kubectl kontinue run --image busybox -- sh -c")
	require.Contains(t, kubectl("plugin", "list").out, filepath.Join(dir, "kubectl-kontinue"))
	require.True(t, strings.HasPrefix(kubectl("kontinue", "version").out, "kontinue "))
}
