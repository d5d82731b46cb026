package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// output runs the program to its end.
func output(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	code = execute(t.Context(), args, terminal{out: &o, err: &e})
	return code, o.String(), e.String()
}

// TestPlugin: usage texts say how the program was called.
func TestPlugin(t *testing.T) {
	t.Parallel()
	for arg0, want := range map[string]string{
		"kontinue":                  "kontinue",
		"/usr/bin/kontinue":         "kontinue",
		"/usr/bin/kubectl-kontinue": "kubectl kontinue",
		"kubectl-kontinue.exe":      "kubectl kontinue",
		"/opt/kubectl-job-run_all":  "kubectl job run-all",
	} {
		code, out, _ := output(t, arg0, "dev", "--help")
		require.Zero(t, code)
		require.Contains(t, out, "\n  "+want+" dev [flags]\n")
		require.Contains(t, out, "\n  "+want+" dev --listen")
		require.NotContains(t, out, "NAME")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, out, errOut := output(t, "kontinue", "version")
	require.Zero(t, code)
	require.Regexp(t, `^kontinue \S+ \(client-go \S+, go\S+, \w+/\w+\)\n$`, out)
	require.Empty(t, errOut)
}

// TestUsage: bad input is an error that says what is wrong, without the whole usage.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ args, want string }{
		{"dve", "error: unknown command \"dve\" for \"kontinue\"\n\nDid you mean this?\n\tdev\n\n"},
		{"version now", "error: unknown command \"now\" for \"kontinue version\"\n"},
		{"version --short", "error: unknown flag: --short\n"},
	} {
		code, out, errOut := output(t, append([]string{"kontinue"}, strings.Fields(tc.args)...)...)
		require.Equal(t, exitFailed, code)
		require.Empty(t, out)
		require.Equal(t, tc.want, errOut)
	}
	code, out, _ := output(t, "kontinue")
	require.Zero(t, code)
	require.Contains(t, out, "Available Commands:")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, out, errOut := output(t, "kontinue", "completion", shell)
		require.Zero(t, code, errOut)
		require.NotEmpty(t, out)
	}
	code, out, _ := output(t, "kontinue", "__complete", "de")
	require.Zero(t, code)
	require.Contains(t, out, "dev\t")
}
