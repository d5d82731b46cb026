package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// names are generated parts of names in the document.
var names = []struct{ pattern, with string }{
	{`-step-1-\w{13}`, "-step-1-HASH"},
	{`\b(hello|HASH)-[bcdfghjklmnpqrstvwxz2456789]{5}\b`, "$1-POD"},
	{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`, "TIME"},
}

// states are lines of which a quick Job skips some.
var states = regexp.MustCompile(`(?m)^default/\w+: (Pending|Running).*\n`)

// TestDocument runs each call of docs/cli.md and compares its output.
func TestDocument(t *testing.T) {
	t.Parallel()
	s := newDev(t)
	text, err := os.ReadFile("../../../docs/cli.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^```console\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 4)
	normal := func(text string) string {
		text = s.normal(text)
		for _, n := range names {
			text = regexp.MustCompile(n.pattern).ReplaceAllString(text, n.with)
		}
		return strings.TrimSpace(states.ReplaceAllString(text, ""))
	}
	for _, block := range blocks {
		for call := range strings.SplitSeq(strings.TrimPrefix(block[1], "$ "), "\n$ ") {
			command, want, _ := strings.Cut(call, "\n")
			cmd := s.command(t, "sh", "-c", command)
			cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(programs.kontinue)+":"+filepath.Dir(programs.kubectl)+":"+os.Getenv("PATH"))
			got, err := cmd.CombinedOutput()
			if !strings.HasPrefix(command, "kubectl get foos") {
				require.NoError(t, err, "%s\n%s", command, got)
			}
			require.Equal(t, normal(want), normal(string(got)), command)
		}
	}
}
