package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
)

// TestDocument: docs/cli.md has the commands and their own flags, and no others.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/cli.md")
	require.NoError(t, err)
	_, afterDev, found := strings.Cut(string(text), "\n## kontinue dev\n")
	require.True(t, found)
	devText, afterRun, found := strings.Cut(afterDev, "\n## kontinue run\n")
	require.True(t, found)
	runText, preflightText, found := strings.Cut(afterRun, "\n## kontinue preflight\n")
	require.True(t, found)

	root := newRoot("kontinue", terminal{})
	root.InitDefaultCompletionCmd()
	var commands []string
	for _, cmd := range root.Commands() {
		commands = append(commands, "kontinue "+cmd.Name())
	}
	require.ElementsMatch(t, commands, rows(string(text), "kontinue [a-z]+"))

	kubectl := pflag.NewFlagSet("", pflag.ContinueOnError)
	bindKubeconfig(kubectl, clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{})
	for command, text := range map[string]string{"dev": devText, "run": runText, "preflight": preflightText} {
		cmd, _, err := root.Find([]string{command})
		require.NoError(t, err)
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if command == "dev" || kubectl.Lookup(f.Name) == nil {
				flags = append(flags, "--"+f.Name)
			}
		})
		require.ElementsMatch(t, flags, rows(text, "--[a-z-]+"), command)
	}
}

// rows returns the first cells of the tables that match.
func rows(text, pattern string) []string {
	var all []string
	for _, match := range regexp.MustCompile("(?m)^\\| `("+pattern+")`").FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}
