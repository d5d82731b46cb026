package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// result is what a program has left.
type result struct {
	out, errOut string
	code        int
}

// site is a cluster with a namespace, and how programs reach it.
type site struct {
	name       string // "real" or "in memory"
	kubeconfig string
	image      string
	namespace  string
	cache      string // of kubectl's discovery
	nodes      []string
}

// command returns the program with the environment of the site.
func (s *site) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	// The context of the test ends before its cleanups.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "KUBECACHEDIR="+s.cache, "HOME="+s.cache, "TERM=dumb")
	return cmd
}

// run runs the program to its end.
func (s *site) run(t *testing.T, stdin, program string, args ...string) result {
	t.Helper()
	cmd := s.command(t, program, args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// kubectl runs kubectl in the site's namespace.
func (s *site) kubectl(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return s.run(t, stdin, programs.kubectl, append([]string{"--namespace", s.namespace}, args...)...)
}

// must runs kubectl and requires that it succeeds.
func (s *site) must(t *testing.T, args ...string) string {
	t.Helper()
	r := s.kubectl(t, "", args...)
	require.Zero(t, r.code, "kubectl %s on the cluster %s: %s%s", strings.Join(args, " "), s.name, r.out, r.errOut)
	return r.out
}

// newDev starts kontinue dev, which ends with the test.
func newDev(t *testing.T, args ...string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{name: "in memory", kubeconfig: filepath.Join(dir, "config"), image: realCluster.image, namespace: "default", cache: dir}
	cmd := s.command(t, programs.kontinue, append([]string{"dev", "--kubeconfig", s.kubeconfig}, args...)...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stdout)
	for range 2 {
		_, err := lines.ReadString('\n')
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, lines)
		require.NoError(t, cmd.Wait())
		require.NoFileExists(t, s.kubeconfig)
	})
	s.nodes = s.nodeNames(t)
	return s
}

// nodeNames returns the names of the cluster's nodes.
func (s *site) nodeNames(t *testing.T) []string {
	t.Helper()
	return strings.Fields(s.must(t, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))
}

// newReal returns the real cluster.
func newReal(t *testing.T) *site {
	t.Helper()
	s := &site{name: "real", kubeconfig: realCluster.kubeconfig, image: realCluster.image, namespace: "default", cache: t.TempDir()}
	s.nodes = s.nodeNames(t)
	return s
}

// in returns the site with a namespace of its own, in which pods can be created.
func (s site) in(t *testing.T, namespace string) *site {
	t.Helper()
	s.must(t, "create", "namespace", namespace)
	s.namespace = namespace
	s.must(t, "wait", "--for=create", "serviceaccount/default", "--timeout=120s")
	return &s
}
