//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package devcluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lock is a file that this program has locked. It is no os.File, which would be closed with
// a Cluster to which no reference is left, though it runs.
type lock struct{ descriptor int }

// takeLock locks the file until it is released or the program ends, however it ends. The
// file has the process ID of who holds the lock.
func takeLock(path string) (*lock, error) {
	descriptor, err := syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	err = syscall.Flock(descriptor, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := os.ReadFile(path) // only for the message
		err = fmt.Errorf("%w: stop process %s, or use another directory", ErrInUse, strings.TrimSpace(string(holder)))
	} else if err != nil {
		err = &os.PathError{Op: "flock", Path: path, Err: err}
	}
	if err == nil {
		err = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	}
	if err != nil {
		_ = syscall.Close(descriptor)
		return nil, err
	}
	return &lock{descriptor}, nil
}

// release unlocks the file itself: a process that another goroutine is starting may still
// have the descriptor for a moment.
func (l *lock) release() {
	_ = syscall.Flock(l.descriptor, syscall.LOCK_UN)
	_ = syscall.Close(l.descriptor)
}
