package containers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// killPasses bounds the search for processes that are started while others are killed.
const killPasses = 100

// killLeft kills the processes that an earlier Processes has started in dir and that are
// still running. Pdeathsig reaches only the first process of a container. They are known by
// the environment that they were started with.
func killLeft(dir string) error {
	mark := []byte("\x00" + TerminationMessageEnv + "=" + dir + string(filepath.Separator))
	for range killPasses {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return fmt.Errorf("looking for processes of containers: %w", err)
		}
		killed := 0
		for _, entry := range entries {
			if pid, err := strconv.Atoi(entry.Name()); err == nil && killMarked(pid, mark) {
				killed++
			}
		}
		if killed == 0 {
			return nil
		}
	}
	return fmt.Errorf("processes of containers in %s still run: end them, and start the program again", dir)
}

// killMarked kills the process if its environment has the mark, and reports whether it has.
// The handle is taken first: it does not refer to another process of the same ID later.
func killMarked(pid int, mark []byte) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer process.Release() //nolint:errcheck // It does not fail.
	// That of a process that has ended, or belongs to another user, cannot be read.
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil || !bytes.Contains(append([]byte{0}, env...), mark) {
		return false
	}
	return process.Kill() == nil
}
