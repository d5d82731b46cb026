package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/internal/docs"
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

// call is a call of the program in a line of shell code, up to its comment or the command of
// the container.
var call = regexp.MustCompile(`(?:^|[\s;&|(])kontinue ([a-z]+)((?: +[^\s#;&|)]+)*)`)

// TestCalls: each call of the program in the documentation is one of a command that exists,
// with flags that it has.
func TestCalls(t *testing.T) {
	t.Parallel()
	pages, err := docs.Pages("../..")
	require.NoError(t, err)
	calls := 0
	for _, page := range pages {
		texts := regexp.MustCompile("`kontinue [^`\n]+`").FindAllString(page.Text, -1)
		for _, c := range docs.Commands(page.Blocks) {
			texts = append(texts, c.Text)
		}
		for _, text := range texts {
			for _, match := range call.FindAllStringSubmatch(strings.Trim(text, "`"), -1) {
				calls++
				require.NoError(t, checkCall(match[1], strings.Fields(match[2])), "%s: %s", page.Path, text)
			}
		}
	}
	require.Greater(t, calls, 10)

	require.ErrorContains(t, checkCall("walk", nil), `unknown command "walk"`)
	require.ErrorContains(t, checkCall("run", []string{"--image", "a", "--nome=b"}), "run has no flag --nome")
	require.ErrorContains(t, checkCall("dev", []string{"-x"}), "dev has no flag -x")
	require.NoError(t, checkCall("run", []string{"-n", "a", "--image=b", "--", "--nome", "-x"}))
}

// checkCall returns an error if there is no such command, or if it has no such flag.
func checkCall(command string, args []string) error {
	cmd, _, err := newRoot("kontinue", terminal{}).Find([]string{command})
	if err != nil && command != "completion" {
		return err
	}
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		if long, ok := strings.CutPrefix(name, "--"); arg == "--" {
			return nil
		} else if ok && cmd.Flags().Lookup(long) == nil {
			return fmt.Errorf("kontinue %s has no flag %s", command, name)
		} else if short, found := strings.CutPrefix(name, "-"); !ok && found && (len(short) != 1 || cmd.Flags().ShorthandLookup(short) == nil) {
			return fmt.Errorf("kontinue %s has no flag %s", command, name)
		}
	}
	return nil
}
