//go:build unix

package containers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TerminationMessageEnv is the environment variable with the path of the file that
// stands for the container's terminationMessagePath.
const TerminationMessageEnv = "TERMINATION_MESSAGE_PATH"

// Processes is a Runtime that runs each container's command as a process of
// this machine, in a new temporary directory and its own process group.
//
// The environment holds PATH, HOME (the temporary directory),
// TERMINATION_MESSAGE_PATH and the container's variables, and nothing of this
// program's environment. Images are not pulled and volumes not mounted, but a word of
// the command that is the path of a file of a Secret or ConfigMap becomes that of a copy. A
// container without a command cannot be started, since the image's entrypoint is not known.
// When a process ends, the rest of its process group is killed.
type Processes struct {
	dir    string // of the temporary directories
	mu     sync.Mutex
	live   map[*process]struct{}
	pods   map[types.UID]*podVolumes
	claims map[types.UID]string // directories of PersistentVolumeClaims
	closed bool
	wg     sync.WaitGroup
	starts starter
}

// NewProcesses returns a Processes. Close it to kill the running processes.
func NewProcesses() *Processes {
	return &Processes{live: map[*process]struct{}{}, pods: map[types.UID]*podVolumes{}, claims: map[types.UID]string{}}
}

// NewProcessesIn is NewProcesses with temporary directories in dir, which belongs to it.
// What an earlier one has left there, because its program was killed, is removed, and on
// Linux the processes that are left are killed.
func NewProcessesIn(dir string) (*Processes, error) {
	p := NewProcesses()
	p.dir = dir
	if err := killLeft(dir); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return p, os.MkdirAll(dir, 0o700)
}

// Pull implements Runtime: every image is there.
func (p *Processes) Pull(Spec, time.Duration) Pull { return Pull{Done: true} }

// Start implements Runtime.
func (p *Processes) Start(spec Spec, exited func(Exit)) (Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, &StartError{Message: "the cluster is stopping"}
	}
	proc := &process{exited: exited, gone: make(chan struct{})}
	if err := proc.start(&p.starts, p.dir, spec, p.pods[spec.Pod.UID]); err != nil {
		proc.cleanup()
		return nil, err
	}
	p.live[proc] = struct{}{}
	p.wg.Go(func() {
		exit := proc.wait()
		p.mu.Lock()
		delete(p.live, proc)
		p.mu.Unlock()
		exited(exit)
	})
	return proc, nil
}

// Close implements Runtime.
func (p *Processes) Close() {
	p.mu.Lock()
	p.closed = true
	live := make([]*process, 0, len(p.live))
	for proc := range p.live {
		live = append(live, proc)
	}
	p.mu.Unlock()
	for _, proc := range live {
		proc.Stop(0)
	}
	p.wg.Wait()
	p.starts.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, volumes := range p.pods {
		volumes.remove()
	}
	for _, dir := range p.claims {
		// What cannot be removed stays in the temporary directory.
		_ = os.RemoveAll(dir)
	}
}

// process is one running command.
type process struct {
	cmd    *exec.Cmd
	dir    string
	output *os.File // read end of stdout and stderr
	copied chan struct{}
	exited func(Exit)
	gone   chan struct{} // closed when the process has ended

	mu     sync.Mutex
	reaped bool // the process group must not be signaled
	timer  *time.Timer
}

func (p *process) start(starts *starter, parent string, spec Spec, volumes *podVolumes) error {
	dir, err := os.MkdirTemp(parent, "kontinue-container-")
	if err != nil {
		return &StartError{Message: "creating the working directory: " + err.Error()}
	}
	p.dir = dir
	if p.cmd, err = command(spec, dir, volumes); err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return &StartError{Message: "creating the log pipe: " + err.Error()}
	}
	defer write.Close()
	p.output = read
	p.cmd.Stdout, p.cmd.Stderr = write, write // one pipe: in the order written
	if err := starts.start(p.cmd); err != nil {
		read.Close()
		return &StartError{Message: startMessage(p.cmd.Args[0], err)}
	}
	p.copied = make(chan struct{})
	go func() {
		defer close(p.copied)
		// The log takes every write; a read error is the end of the pipe.
		_, _ = io.Copy(spec.Log, read)
	}()
	return nil
}

// command prepares the container's command: command and args with $(VAR) expanded, a clean
// environment, a working directory below dir or in a volume.
func command(spec Spec, dir string, volumes *podVolumes) (*exec.Cmd, error) {
	c := spec.Container
	if len(c.Command) == 0 {
		return nil, &StartError{Message: fmt.Sprintf("container %q has no command, and the entrypoint of image %q is not known to a cluster that runs local processes: set the command", c.Name, c.Image)}
	}
	values := map[string]string{}
	for _, v := range spec.Env {
		values[v.Name] = v.Value
	}
	lookup := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	var args []string
	for _, list := range [][]string{c.Command, c.Args} {
		for _, arg := range list {
			args = append(args, Expand(arg, lookup))
		}
	}
	where, err := volumes.mounts(c, lookup)
	if err != nil {
		return nil, &StartError{Message: err.Error()}
	}
	if err := os.WriteFile(messageFile(dir), nil, 0o600); err != nil {
		return nil, &StartError{Message: "creating the termination message file: " + err.Error()}
	}
	if c.TerminationMessagePath != "" {
		where.add(c.TerminationMessagePath, messageFile(dir))
	}
	for i := range args {
		args[i] = where.replace(args[i])
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, TerminationMessageEnv + "=" + messageFile(dir)}
	for _, v := range spec.Env {
		env = append(env, v.Name+"="+where.replace(v.Value))
	}
	workdir, mounted := where.dir(c.WorkingDir)
	if !mounted {
		workdir = filepath.Join(dir, "work", filepath.Join("/", c.WorkingDir))
	}
	if err := os.MkdirAll(workdir, 0o700); err != nil {
		return nil, &StartError{Message: "creating the working directory: " + err.Error()}
	}
	path := args[0]
	if !strings.Contains(path, "/") {
		found, err := exec.LookPath(path)
		if err != nil {
			return nil, &StartError{Message: startMessage(args[0], exec.ErrNotFound)}
		}
		path = found
	}
	return &exec.Cmd{Path: path, Args: args, Env: env, Dir: workdir, SysProcAttr: processAttributes()}, nil
}

func messageFile(dir string) string { return filepath.Join(dir, "termination-log") }

// startMessage returns runc's message for a failed start.
func startMessage(name string, err error) string {
	cause := err.Error()
	var pathErr *os.PathError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		cause = "executable file not found in $PATH"
	case errors.As(err, &pathErr):
		cause = pathErr.Err.Error()
	}
	return fmt.Sprintf("failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "+
		"unable to start container process: error during container init: exec: %q: %s", name, cause)
}

// Stop implements Process.
func (p *process) Stop(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if grace <= 0 {
		p.signal(syscall.SIGKILL)
		return
	}
	p.signal(syscall.SIGTERM)
	if p.timer == nil {
		p.timer = time.AfterFunc(grace, func() { p.Stop(0) })
	}
}

// signal reaches the whole process group. The caller holds p.mu.
func (p *process) signal(sig syscall.Signal) {
	// ESRCH means that it has just ended.
	_ = syscall.Kill(-p.cmd.Process.Pid, sig)
}

// drain bounds the wait for output after the process has ended, in case a
// descendant that left the process group keeps the pipe open.
const drain = 2 * time.Second

// wait waits for the process to exit, kills the rest of its group and collects the
// log.
func (p *process) wait() Exit {
	err := p.cmd.Wait()
	p.mu.Lock()
	p.signal(syscall.SIGKILL)
	p.reaped = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	close(p.gone)
	timer := time.NewTimer(drain)
	select {
	case <-p.copied:
	case <-timer.C:
	}
	timer.Stop()
	p.output.Close() // ends the copying at the latest
	<-p.copied
	exit := exitOf(p.cmd.ProcessState, err)
	if message, rerr := os.ReadFile(messageFile(p.dir)); rerr == nil {
		exit.TerminationMessage = string(message)
	}
	p.cleanup()
	return exit
}

func (p *process) cleanup() {
	if p.dir != "" {
		// What cannot be removed stays in the temporary directory.
		_ = os.RemoveAll(p.dir)
	}
}

func exitOf(state *os.ProcessState, err error) Exit {
	if state == nil {
		return Exit{Code: ExitStartError, Reason: ReasonError, Message: fmt.Sprint(err)}
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Exit{Code: 128 + int32(status.Signal())}
	}
	return Exit{Code: int32(state.ExitCode())}
}
