package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	screenLimit = 2 * time.Minute
	screenEvery = 50 * time.Millisecond
)

// pane is a terminal of tmux in which the program runs.
type pane struct {
	s      *site
	socket string
}

// newPane runs a step in a terminal. Its exit code is on the last line of the screen.
func newPane(t *testing.T, s *site, args ...string) *pane {
	t.Helper()
	dir, err := os.MkdirTemp("", "tmux") //nolint:usetesting // the path of a socket has to be short, and that of TempDir has the test's name
	require.NoError(t, err)
	p := &pane{s: s, socket: filepath.Join(dir, "s")}
	words := []string{programs.kontinue}
	for _, arg := range args {
		words = append(words, "'"+strings.ReplaceAll(arg, "'", `'\''`)+"'")
	}
	// The shell outlives Ctrl-C, which all processes of the terminal get.
	p.tmux(t, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24",
		"trap : INT; "+strings.Join(words, " ")+`; echo "exit code $?"; exec cat`)
	t.Cleanup(func() {
		p.tmux(t, "kill-server")
		require.NoError(t, os.RemoveAll(dir))
	})
	return p
}

func (p *pane) tmux(t *testing.T, args ...string) string {
	t.Helper()
	r := p.s.run(t, "", programs.tmux, append([]string{"-S", p.socket}, args...)...)
	require.Zero(t, r.code, "tmux %v: %s", args, r.errOut)
	return r.out
}

// screen returns the lines on the screen that are not empty.
func (p *pane) screen(t *testing.T) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(p.tmux(t, "capture-pane", "-p")) {
		if line = strings.TrimRight(line, " \n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// until waits until the last line of the screen begins with the text, and returns the screen.
func (p *pane) until(t *testing.T, text string) []string {
	t.Helper()
	var lines []string
	ok := func() bool {
		lines = p.screen(t)
		return len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1], text)
	}
	ticker, limit := time.NewTicker(screenEvery), time.NewTimer(screenLimit)
	defer ticker.Stop()
	defer limit.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-limit.C:
			require.FailNow(t, "the last line does not begin with "+text, "%s", strings.Join(lines, "\n"))
		}
	}
	return lines
}

func (p *pane) interrupt(t *testing.T) {
	t.Helper()
	p.tmux(t, "send-keys", "C-c")
}

// TestRunInTerminal: the state is in one line below the log, and gone at the end.
func TestRunInTerminal(t *testing.T) {
	t.Parallel()
	s := newDev(t)
	release := filepath.Join(t.TempDir(), "go")
	p := newPane(t, s, s.runArgs("a", "echo one; echo two; until [ -e "+release+" ]; do sleep 0.1; done; echo three; exit 3")...)
	seen := map[string]bool{}
	for len(seen) < 3 { // it counts the seconds, and does not scroll
		lines := p.until(t, "default/a: Running in pod a-step-1-")
		if len(lines) < 3 {
			continue // the second line of the log is not there yet
		}
		require.Equal(t, []string{"one", "two"}, lines[:len(lines)-1])
		require.Regexp(t, `, \d+s$`, lines[2])
		seen[lines[2]] = true
	}
	require.NoError(t, os.WriteFile(release, nil, 0o600))
	lines := p.until(t, "exit code 3")
	require.Equal(t, []string{"one", "two", "three"}, lines[:3])
	require.True(t, strings.HasPrefix(lines[3], "default/a: failed: job default/a-step-1-"), lines)
	require.NotContains(t, strings.Join(lines, "\n"), "Running in pod", "the status line is gone")
}

// TestCtrlC: once detaches, twice stops the Job.
func TestCtrlC(t *testing.T) {
	t.Parallel()
	s := newDev(t)
	args := s.runArgs("a", "echo one; exec sleep 600")
	p := newPane(t, s, args...)
	p.until(t, "default/a: Running")
	p.interrupt(t)
	lines := strings.Join(p.until(t, "exit code 130"), "\n")
	require.Contains(t, lines, "default/a: press Ctrl-C again to stop the Job; it keeps running otherwise")
	require.Contains(t, strings.ReplaceAll(lines, "\n", ""), "which keeps running; repeat the call with --name a to return to it")
	require.Equal(t, "1", s.must(t, "get", "jobs", "-o", "jsonpath={.items[0].status.active}"))

	// A machine that is so slow that the second one comes after two seconds has another try.
	for stopped := false; !stopped; {
		p := newPane(t, s, args...)
		p.until(t, "default/a: Running")
		p.interrupt(t)
		p.interrupt(t)
		lines := strings.Join(p.until(t, "exit code 130"), "\n")
		stopped = strings.Contains(lines, "default/a: stopping the Job; press Ctrl-C again to leave at once")
	}
	require.Empty(t, s.must(t, "get", "jobs", "-o", "jsonpath={.items[0].status.active}"))
}
