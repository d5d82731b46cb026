package sandbox

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed init.sh
var initScript string

// Config describes a sandbox.
type Config struct {
	// Dir is the absolute path of the state directory. It must exist and must not be
	// below a directory that is private to the sandbox (see [CheckDir]).
	Dir string
	// Cgroup is the name of the cgroup directory, which must be unique on the host.
	Cgroup string
	// Groups are the cgroups in which programs can run.
	Groups []string
	// Pause is the path of a static program that only reaps orphans. It becomes the
	// first process.
	Pause string
	// Addresses are the addresses of the sandbox's network interface, "10.0.0.1/24".
	Addresses []string
}

// Sandbox is a running set of namespaces. Its methods are safe for concurrent
// use.
type Sandbox struct {
	dir    string
	cgroup *cgroup
	thread *thread
	netns  *os.File
	first  *exec.Cmd
	waits  sync.WaitGroup // one for each process's Wait
	close  sync.Once
	err    error
}

// covered are the host directories of which each sandbox has a private version.
var covered = []string{"/proc", "/sys", "/run", "/var/run", "/var/lib", "/var/log"}

// CheckDir returns an error if a path cannot be seen from inside a sandbox.
func CheckDir(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%s is not an absolute path", dir)
	}
	for _, root := range covered {
		if dir == root || strings.HasPrefix(dir, root+"/") {
			return fmt.Errorf("%s is below %s, which is hidden inside the cluster: choose another directory", dir, root)
		}
	}
	return nil
}

// cleanupTimeout bounds the cleanup after New has failed.
const cleanupTimeout = 30 * time.Second

// New creates the namespaces and starts their first process. If it fails, it leaves
// nothing behind.
func New(ctx context.Context, config Config) (_ *Sandbox, err error) {
	if err := CheckDir(config.Dir); err != nil {
		return nil, err
	}
	group, err := findCgroup(config.Cgroup)
	if err != nil {
		return nil, err
	}
	s := &Sandbox{dir: config.Dir, cgroup: group, thread: newThread()}
	defer func() {
		if err != nil {
			cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
			defer cancel()
			err = errors.Join(err, s.Close(cleanup))
		}
	}()
	if err := group.create(append([]string{initGroup}, config.Groups...)); err != nil {
		return nil, err
	}
	files := map[string]string{
		"init.sh":   initScript,
		"cgroups":   group.list(),
		"addresses": strings.Join(config.Addresses, "\n") + "\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(config.Dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	if err := s.startFirst(ctx, config); err != nil {
		return nil, fmt.Errorf("set up namespaces: %w", err)
	}
	if err := s.thread.do(func() error { return enter(s.first.Process.Pid) }); err != nil {
		return nil, err
	}
	return s, nil
}

// startFirst runs init.sh in new namespaces until it says "ready".
func (s *Sandbox) startFirst(ctx context.Context, config Config) error {
	var stderr strings.Builder
	cmd := exec.Command("/bin/sh", filepath.Join(config.Dir, "init.sh"), "join", config.Dir, config.Cgroup, config.Pause)
	cmd.Dir, cmd.Stderr = "/", &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true,
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.thread.do(cmd.Start); err != nil {
		return err
	}
	s.first = cmd
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // also ends the copying of stderr
		return errors.Join(context.Cause(ctx), fmt.Errorf("init.sh: %q %s: %s", line, cmd.ProcessState, stderr.String()))
	}
	s.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	return err
}

// enter moves the calling thread, and what it starts, into the namespaces of
// a process.
func enter(pid int) error {
	namespaces := []struct {
		name string
		flag int
	}{
		{"cgroup", unix.CLONE_NEWCGROUP},
		{"net", unix.CLONE_NEWNET},
		{"pid", unix.CLONE_NEWPID},
		{"mnt", unix.CLONE_NEWNS}, // last, because it changes the contents of /proc
	}
	// Only a thread that does not share its working directory and root with others
	// can enter a mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare file system attributes: %w", err)
	}
	for _, namespace := range namespaces {
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, namespace.name))
		if err != nil {
			return err
		}
		err = unix.Setns(int(file.Fd()), namespace.flag)
		file.Close()
		if err != nil {
			return fmt.Errorf("enter %s namespace: %w", namespace.name, err)
		}
	}
	return nil
}

// Root returns the path of the sandbox's root directory on the host.
func (s *Sandbox) Root() string { return fmt.Sprintf("/proc/%d/root", s.first.Process.Pid) }

// Signal sends a signal to every process inside the sandbox, including containers,
// except its first process and those in the excluded groups. It returns their number.
func (s *Sandbox) Signal(sig syscall.Signal, exclude ...string) (int, error) {
	return s.cgroup.signal(sig, append(exclude, initGroup)...)
}

// Kill kills every process that [Sandbox.Signal] would reach, and waits until none is
// left or ctx is done.
func (s *Sandbox) Kill(ctx context.Context, exclude ...string) error {
	return poll(ctx, func() (bool, error) {
		n, err := s.Signal(syscall.SIGKILL, exclude...)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d processes are not dead yet", n)
		}
		return err == nil, err
	})
}

// Close kills everything inside and removes cgroups, mounts and the state directory.
// If ctx is done before that, its error says what is left. Later calls return the
// error of the first.
func (s *Sandbox) Close(ctx context.Context) error {
	s.close.Do(func() { s.err = s.destroy(ctx) })
	return s.err
}

func (s *Sandbox) destroy(ctx context.Context) error {
	if s.first != nil && s.first.Process != nil && s.first.ProcessState == nil {
		// The kernel kills the rest of the pid namespace before this process is gone.
		_ = s.first.Process.Kill()
		_ = s.first.Wait()
	}
	s.waits.Wait()
	s.thread.stop()
	if s.netns != nil {
		_ = s.netns.Close()
	}
	return errors.Join(s.cgroup.remove(ctx), removeDir(ctx, s.dir))
}

// removeDir removes a directory. It retries because the mounts of a private mount
// namespace keep directories busy until shortly after its last process has gone.
func removeDir(ctx context.Context, dir string) error {
	return poll(ctx, func() (bool, error) {
		err := os.RemoveAll(dir)
		return err == nil, err
	})
}

// Sweep removes the remains of a sandbox whose owner died. The arguments are those of
// its Config. The caller makes sure that the owner is dead.
func Sweep(ctx context.Context, cgroupName, dir string) error {
	group, err := findCgroup(cgroupName)
	if err != nil {
		return err
	}
	return errors.Join(group.remove(ctx), removeDir(ctx, dir))
}
