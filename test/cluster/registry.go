package cluster

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kontinue/kontinue/test/cluster/internal/sandbox"
)

// ErrNameTaken is wrapped by Start's error if a cluster with that name is running.
var ErrNameTaken = errors.New("a cluster with this name is running")

const (
	ownerFile   = "owner"
	lockFile    = ".lock"
	sweepLimit  = 20 * time.Second
	waitForLock = 50 * time.Millisecond
)

// claim is the ownership of one cluster's state directory. The owner holds a lock on a
// file in it, which the kernel releases when the owner dies. The lock distinguishes
// running clusters from stale ones.
type claim struct {
	dir    string
	cgroup string
	owner  *os.File
}

// newClaim removes the remains of dead clusters, and then claims the name.
func newClaim(ctx context.Context, stateDir, name string) (*claim, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lockRegistry(ctx, stateDir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := sweep(ctx, stateDir); err != nil {
		return nil, err
	}
	c := &claim{dir: filepath.Join(stateDir, name), cgroup: cgroupName(stateDir, name)}
	if err := os.Mkdir(c.dir, 0o700); errors.Is(err, fs.ErrExist) {
		pid, _ := owner(c.dir)
		return nil, fmt.Errorf("%w: %s, owned by process %d", ErrNameTaken, name, pid)
	} else if err != nil {
		return nil, err
	}
	c.owner, err = os.OpenFile(filepath.Join(c.dir, ownerFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		// This waits for a moment at most, while another process looks up the owner.
		err = unix.Flock(int(c.owner.Fd()), unix.LOCK_EX)
	}
	if err == nil {
		_, err = fmt.Fprintln(c.owner, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return c, nil
}

// release releases the name. The directory must have been removed.
func (c *claim) release() { _ = c.owner.Close() }

// Down stops the cluster with a name, whichever process runs it, and removes the
// remains of all dead ones. It sends the owner SIGTERM and, if that does not end it,
// SIGKILL. It is not an error if no such cluster is running.
func Down(ctx context.Context, stateDir, name string) error {
	if stateDir == "" {
		stateDir = DefaultStateDir()
	}
	if _, err := os.Stat(stateDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	dir := filepath.Join(stateDir, name)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pid, alive := owner(dir)
		if !alive {
			break
		}
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop owner of cluster %s: %w", name, err)
		}
		if err := waitDead(ctx, dir); err != nil && ctx.Err() != nil {
			return fmt.Errorf("wait for cluster %s to stop: %w", name, err)
		}
	}
	unlock, err := lockRegistry(ctx, stateDir)
	if err != nil {
		return err
	}
	defer unlock()
	return sweep(ctx, stateDir)
}

// waitDead waits, for a bounded time, until no process owns the directory.
func waitDead(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	return poll(ctx, func() error {
		if pid, alive := owner(dir); alive {
			return fmt.Errorf("process %d is still running", pid)
		}
		return nil
	})
}

// owner returns the process that owns a cluster, and whether it is alive.
func owner(dir string) (pid int, alive bool) {
	file, err := os.Open(filepath.Join(dir, ownerFile))
	if err != nil {
		return 0, false
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		return 0, false // closing the file releases the lock
	}
	data, err := os.ReadFile(filepath.Join(dir, ownerFile))
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
	return pid, err == nil
}

// sweep removes everything that clusters with dead owners left behind. The caller
// holds the registry's lock, so that no cluster is being created meanwhile.
func sweep(ctx context.Context, stateDir string) error {
	ctx, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	entries, err := os.ReadDir(stateDir)
	if err != nil {
		return err
	}
	var failed error
	for _, entry := range entries {
		dir := filepath.Join(stateDir, entry.Name())
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if _, alive := owner(dir); alive {
			continue
		}
		if err := sandbox.Sweep(ctx, cgroupName(stateDir, entry.Name()), dir); err != nil {
			failed = errors.Join(failed, fmt.Errorf("remove stale cluster %s: %w", entry.Name(), err))
		}
	}
	return failed
}

// lockRegistry serializes claims and sweeps across processes.
func lockRegistry(ctx context.Context, stateDir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(stateDir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = poll(ctx, func() error { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", stateDir, err)
	}
	return func() { _ = file.Close() }, nil
}

// cgroupName returns a name that differs between clusters with the same name in
// different state directories.
func cgroupName(stateDir, name string) string {
	sum := sha256.Sum256([]byte(stateDir))
	return "kontinue-" + name + "-" + hex.EncodeToString(sum[:4])
}

func randomHex(bytes int) string {
	buffer := make([]byte, bytes)
	_, _ = rand.Read(buffer) // never fails
	return hex.EncodeToString(buffer)
}

// poll calls check until it returns nil. If ctx is done first, the error wraps the last
// one of check.
func poll(ctx context.Context, check func() error) error {
	ticker := time.NewTicker(waitForLock)
	defer ticker.Stop()
	for {
		last := check()
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}
