package docs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/kontinue/kontinue/internal/docs"
)

// limit bounds a command.
const limit = 10 * time.Minute

// session is the shell of a page. Its working directory and exported variables last from one
// command to the next.
type session struct {
	dir string // of its state
	dev []*server
}

// server is a kontinue dev that is running.
type server struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
}

// newSession returns a shell in the directory root, with a cluster. Its state is in dir.
func newSession(ctx context.Context, dir, root string, env []string) (*session, error) {
	s := &session{dir: dir}
	var state strings.Builder
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&state, "export %s=%s\n", name, quote(value))
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "env"), []byte(state.String()), 0o600),
		os.WriteFile(filepath.Join(dir, "cwd"), []byte(root), 0o600))
	if err != nil {
		return s, fmt.Errorf("begin a session: %w", err)
	}
	_, err = s.serve(ctx, "kontinue dev --kubeconfig "+quote(filepath.Join(dir, "kubeconfig")))
	return s, err
}

func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

// shell returns the command in the state of the session.
func (s *session) shell(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c",
		`. "$SESSION/env" && cd "$(cat "$SESSION/cwd")" || exit 126; trap 'export -p > "$SESSION/env"; pwd > "$SESSION/cwd"' EXIT`+"\n"+text+"\n")
	cmd.Env = []string{"SESSION=" + s.dir, "PATH=" + os.Getenv("PATH")} // all others are in the state
	// Also what it leaves in the background.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Minute
	return cmd
}

// run runs the command and returns its output and exit code.
func (s *session) run(ctx context.Context, text string) (out string, code int, err error) {
	if strings.HasPrefix(text, "kontinue dev") {
		out, err = s.serve(ctx, text)
		return out, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := s.shell(ctx, text)
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return string(output), 0, errors.Join(fmt.Errorf("run the command: %w", err), context.Cause(ctx))
	}
	return string(output), cmd.ProcessState.ExitCode(), nil
}

// serve starts kontinue dev, of which the later commands get the KUBECONFIG.
func (s *session) serve(ctx context.Context, text string) (out string, err error) {
	cmd := s.shell(context.WithoutCancel(ctx), "trap - EXIT; exec "+text) // until end
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	d := &server{cmd: cmd, lines: bufio.NewReader(stdout)}
	var export string
	for export == "" {
		line, err := d.lines.ReadString('\n')
		if out += line; strings.HasPrefix(line, "export KUBECONFIG=") {
			export = line
		}
		if err != nil {
			return out, errors.Join(fmt.Errorf("%s: %w", text, err), cmd.Wait())
		}
	}
	s.dev = append(s.dev, d)
	state, err := os.OpenFile(filepath.Join(s.dir, "env"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return out, fmt.Errorf("%s: %w", text, err)
	}
	_, err = io.WriteString(state, "\n"+export)
	return out, errors.Join(err, state.Close())
}

// end ends the clusters. Each has to exit with 0.
func (s *session) end() error {
	var errs []error
	for _, d := range s.dev {
		errs = append(errs, d.cmd.Process.Signal(syscall.SIGTERM))
		_, err := io.Copy(io.Discard, d.lines)
		errs = append(errs, err, d.cmd.Wait())
	}
	return errors.Join(errs...)
}

// check runs the command, and returns an error if its exit code or its output is not what the
// page says.
func (s *session) check(ctx context.Context, c docs.Command) error {
	out, code, err := s.run(ctx, c.Text)
	at := fmt.Sprintf("%s:%d: %s", c.File, c.Line, c.Text)
	switch {
	case err != nil:
		return fmt.Errorf("%s\n%s: %w", at, out, err)
	case code != c.Exit && !c.Shows:
		return fmt.Errorf("%s\n%s: exit code %d", at, out, code)
	case c.Shows && !matches(c.Output, out):
		return fmt.Errorf("%s\nthe page has:\n%s\nthe output is:\n%s", at, normal(c.Output), normal(out))
	}
	return nil
}

// chance are the parts of an output that differ between two runs, and what they are replaced
// by.
var chance = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?m)^default/[\w-]+: (Pending|Running).*\n`), ""}, // a quick Job skips some
	{regexp.MustCompile(`-[a-z2-7]{13}\b`), "-HASH"},
	{regexp.MustCompile(`\b([a-z][a-z0-9-]*|HASH)-[bcdfghjklmnpqrstvwxz2456789]{5}\b`), "$1-POD"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ms|[smhd]))+\b`), "AGE"},
	{regexp.MustCompile(`https?://[0-9.]+:\d+`), "SERVER"},
	{regexp.MustCompile(`KUBECONFIG=\S+`), "KUBECONFIG=FILE"},
	{regexp.MustCompile(` deleted from \S+ namespace`), " deleted"}, // as kubectl says since 1.33
	{regexp.MustCompile(` +`), " "},                                 // columns are as wide as what is in them
	{regexp.MustCompile(` \n`), "\n"},
}

// normal returns the text without what differs by chance.
func normal(text string) string {
	for _, c := range chance {
		text = c.pattern.ReplaceAllString(text, c.with)
	}
	return strings.TrimSpace(text)
}

// matches reports whether the output is what the page shows.
func matches(shown, out string) bool {
	return match(strings.Split(normal(shown), "\n"), strings.Split(normal(out), "\n"))
}

func match(shown, out []string) bool {
	switch {
	case len(shown) > 0 && shown[0] == "...":
		return match(shown[1:], out) || len(out) > 0 && match(shown, out[1:])
	case len(shown) == 0 || len(out) == 0:
		return len(shown) == len(out)
	}
	return shown[0] == out[0] && match(shown[1:], out[1:])
}
