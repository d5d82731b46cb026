package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQuickstart(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, run(t.Context(), nil, &stdout, &stderr), "stderr: %s\nstdout: %s", &stderr, &stdout)
	require.Empty(t, stderr.String())
	text := stdout.String()

	first, second, found := strings.Cut(text, "The same function again")
	require.True(t, found, text)
	for _, step := range []string{"hello", "lint", "unit", "docs", "strict", "broken"} {
		end := "Succeeded"
		if step == "broken" {
			end = "Failed"
		}
		states := statesOf(first, step)
		require.Equal(t, "Pending", states[0], text)
		require.Equal(t, end, states[len(states)-1], text)
		require.Equal(t, []string{end}, statesOf(second, step), text)
	}
	// All three scripts have started before the first of them, which sleeps for a
	// second, has ended.
	_, start, found := strings.Cut(text, "\n2. ")
	require.True(t, found, text)
	start, _, _ = strings.Cut(start, "Succeeded")
	for _, step := range []string{"lint", "unit", "docs"} {
		require.Contains(t, statesOf(start, step), "Running", text) // a shorter one may be Succeeded at once
	}
	require.Equal(t, 6, strings.Count(second, "resumed, from the record on its Job"))
	for _, want := range []string{
		`it says "hello from `,
		"three sleeps of one second took ",
		`exit code 3 of container "script" (Error)`,
		`last log line: relation "users" does not exist`,
		"6  create jobs ",
		"6  patch  jobs ",
		"1  watch  jobs ",
		"1  watch  pods ",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, " get    jobs", "a wait sends no request")
	require.True(t, strings.HasSuffix(text, "\nOne watch of jobs and one watch of pods served all 6 waits.\n"), text)
}

// statesOf returns the states that a step went through, in the order printed.
func statesOf(text, step string) []string {
	var states []string
	for _, match := range regexp.MustCompile(`(?m)^ +[0-9.]+s  `+step+` +(\w+)`).FindAllStringSubmatch(text, -1) {
		states = append(states, match[1])
	}
	return states
}

// On Ctrl-C while three scripts run, the program prints a message, cleans up and
// exits.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout := trigger{word: "unit    Running", f: cancel}
	var stderr bytes.Buffer
	require.Equal(t, exitInterrupted, run(ctx, nil, &stdout, &stderr))
	require.Contains(t, stdout.String(), "\nInterrupted:")
	require.NotContains(t, stdout.String(), "3. Another shell")
	require.Contains(t, stderr.String(), "context canceled")
}

// trigger calls f once word has been written to it.
type trigger struct {
	bytes.Buffer
	word string
	f    func()
	once sync.Once
}

func (w *trigger) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.word) {
		w.once.Do(w.f)
	}
	return n, err
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"help":                   {[]string{"-h"}, exitOK, "-kubeconfig file"},
		"unknown flag":           {[]string{"-namespaces", "x"}, exitUsage, "-namespaces"},
		"argument":               {[]string{"kubeconfig"}, exitUsage, `unexpected argument "kubeconfig"`},
		"no such kubeconfig":     {[]string{"-kubeconfig", "testdata/none"}, exitFailed, "kubeconfig: stat testdata/none"},
		"unreachable API server": {[]string{"-kubeconfig", "testdata/unreachable"}, exitFailed, "create a ConfigMap in namespace default"},
		"bad namespace":          {[]string{"-namespace", "Big"}, exitFailed, "Big"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			require.Equal(t, tc.code, run(t.Context(), tc.args, &stdout, &stderr), "%s", &stderr)
			require.Contains(t, stderr.String(), tc.want)
		})
	}
}
