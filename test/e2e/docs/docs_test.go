package docs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kontinue/kontinue/internal/docs"
	"github.com/kontinue/kontinue/test/cluster"
)

const root = "../../.."

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPages runs the commands of each page.
func TestPages(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs(root)
	require.NoError(t, err)
	bin := t.TempDir()
	output(t, "go", "-C", filepath.Join(top, "cmd/kontinue"), "build", "-o", filepath.Join(bin, "kontinue"), ".")
	pages, err := docs.Pages(top)
	require.NoError(t, err)
	before := output(t, "git", "-C", top, "status", "--porcelain")
	t.Cleanup(func() { // when all pages are done
		require.Equal(t, before, output(t, "git", "-C", top, "status", "--porcelain"), "a command has left files")
	})
	ran := 0
	for _, page := range pages {
		var commands []docs.Command
		for _, c := range docs.Commands(page.Blocks) {
			if c.NotRun == "" {
				commands = append(commands, c)
			}
		}
		if ran += len(commands); len(commands) == 0 {
			continue
		}
		t.Run(page.Path, func(t *testing.T) {
			t.Parallel()
			s, err := newSession(t.Context(), t.TempDir(), top, environment(t, bin))
			t.Cleanup(func() { require.NoError(t, s.end()) })
			require.NoError(t, err)
			for _, c := range commands {
				require.NoError(t, s.check(t.Context(), c))
			}
		})
	}
	require.Greater(t, ran, 10)
}

// environment returns the variables of a session with the programs in bin.
func environment(t *testing.T, bin string) []string {
	t.Helper()
	home := t.TempDir()
	path := []string{filepath.Join(home, "bin"), bin}
	if kubectl, err := cluster.Kubectl(); err == nil {
		path = append(path, filepath.Dir(kubectl))
	}
	env := []string{
		"HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "GOBIN=" + path[0], "TERM=dumb",
		"PATH=" + strings.Join(append(path, os.Getenv("PATH")), string(filepath.ListSeparator)),
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		env = append(env, name+"="+output(t, "go", "env", name))
	}
	return env
}

// output returns what the program prints.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	// The context of the test ends before its cleanups.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	return strings.TrimSpace(string(out))
}

// TestSession: the state lasts, and what is not as the page says is an error.
func TestSession(t *testing.T) {
	t.Parallel()
	s := session{dir: t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "env"), []byte("export A="+quote("it's")+"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "cwd"), []byte("/"), 0o600))
	for _, text := range []string{"sh: cd /tmp && export B=\"$A b\"", "console: pwd; echo $B\n/tmp\nit's b\n", "sh: exit 3 # exits with 3", "console: printf 'a\nb\nc\n'; exit 1\na\n...\n"} {
		require.NoError(t, s.check(t.Context(), command(text)), text)
	}
	for text, want := range map[string]string{
		"sh: false":         "a.md:2: false\n: exit code 1",
		"console: echo a\n": "the output is:\na",
		"sh: kontinue dev --none || true; exec true": "kontinue dev --none",
	} {
		require.ErrorContains(t, s.check(t.Context(), command(text)), want, text)
	}
	for shown, out := range map[string]string{
		"job/a-abcdefghijk23-bcdfg 5m3s": "job/a-zyxwvutsrqp23-xz245   12ms",
		"...\nb":                         "a\nc\nb",
		"a\n...":                         "a",
		"a\n...\nc":                      "a\nb\nc",
	} {
		require.True(t, matches(shown, out), "%s matches %s", shown, out)
		require.False(t, matches(shown+"\nd", out))
	}
	require.NoError(t, s.end())
}

// command returns the one command of a block, after its language.
func command(text string) docs.Command {
	lang, text, _ := strings.Cut(text, ": ")
	if lang == "console" {
		text = "$ " + text
	}
	return docs.Commands(docs.Markdown("a.md", fmt.Sprintf("```%s\n%s\n```\n", lang, text)))[0]
}
