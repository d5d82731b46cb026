package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Command describes a program to run inside a sandbox.
type Command struct {
	Name  string   // for messages
	Group string   // one of Config.Groups
	Args  []string // Args[0] is the absolute path of the program
	Env   []string // complete environment, "KEY=value"
	Log   string   // file that standard output and error are appended to
}

// Process is a program running inside a sandbox.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// join enters the cgroup of a group in every hierarchy, and then executes the program.
// It runs with the sandbox's view of /sys/fs/cgroup.
const join = `group=$1; shift
for procs in /sys/fs/cgroup/$group/cgroup.procs /sys/fs/cgroup/*/$group/cgroup.procs; do
	if [ -e "$procs" ]; then echo 0 >"$procs" || exit 125; fi
done
exec "$@"`

// Run starts a program inside the sandbox. It ends with the sandbox at the latest.
func (s *Sandbox) Run(c Command) (*Process, error) {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", join, c.Name, c.Group}, c.Args...)...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.Env, "/", log, log
	// In its own process group it receives no Ctrl-C from the terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.thread.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	p := &Process{name: c.Name, log: c.Log, cmd: cmd, done: make(chan struct{})}
	s.waits.Go(func() {
		defer close(p.done)
		_ = cmd.Wait() // kept in cmd.ProcessState
	})
	return p, nil
}

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Pid returns the process ID on the host.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Running reports whether the process has not ended. A stopped process (SIGSTOP) is
// running.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal. It does nothing if the process has ended.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Wait waits for a program that ends by itself. Its error says how it failed and
// contains its last log lines.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", p.name, context.Cause(ctx))
	}
	if p.cmd.ProcessState.Success() {
		return nil
	}
	return p.Err()
}

// Err returns nil while the process is running. Afterwards it returns an error that
// says how the process ended and contains its last log lines: programs of a sandbox
// are servers, which should not end.
func (p *Process) Err() error {
	if p.Running() {
		return nil
	}
	return fmt.Errorf("%s ended (%s), last lines of %s:\n%s", p.name, p.cmd.ProcessState, p.log, tail(p.log))
}

// tailBytes is the size of about ten log lines.
const tailBytes = 2048

func tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	var offset int64
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		offset = info.Size() - tailBytes
	}
	buffer := make([]byte, tailBytes)
	n, _ := file.ReadAt(buffer, offset) // io.EOF is the normal end
	return string(buffer[:n])
}
