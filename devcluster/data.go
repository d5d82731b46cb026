package devcluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// ErrInUse is returned by [Start] if another cluster has the directory of [Options.Data].
var ErrInUse = errors.New("another cluster uses the directory")

// The files by which the directory of a cluster is known.
const (
	lockFile    = "lock"
	objectsFile = "objects.jsonl"
)

// data is the directory of a cluster that outlives its program. A nil data is none.
type data struct {
	dir  string
	lock *lock

	closed atomic.Bool
}

// openData takes the directory for this program, and makes it if it does not exist.
func openData(dir string) (*data, error) {
	if dir == "" {
		return nil, nil
	}
	// Processes of containers are known by this path, also after a restart from another
	// working directory.
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	if err := checkData(path); err != nil {
		return nil, err
	}
	lock, err := takeLock(filepath.Join(path, lockFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &data{dir: path, lock: lock}, nil
}

// checkData refuses a directory with files of another program: a cluster removes those of
// containers that an earlier one has left there.
func checkData(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, objectsFile)); err == nil {
		return nil
	}
	// A program that was killed early has left its lock alone.
	holder, err := os.ReadFile(filepath.Join(dir, lockFile))
	if text := strings.TrimSpace(string(holder)); err == nil {
		if _, err := strconv.Atoi(text); err == nil || text == "" {
			return nil
		}
	}
	return fmt.Errorf("%s is not empty, and no cluster has been there: use a new directory", dir)
}

// configure makes a cluster keep its logs in the directory, and the temporary directories
// of its processes.
func (d *data) configure(opts *fakecluster.Options) error {
	if d == nil {
		return nil
	}
	opts.Kubelet.LogDir = filepath.Join(d.dir, "logs")
	if !opts.LocalProcesses {
		return nil
	}
	processes, err := containers.NewProcessesIn(filepath.Join(d.dir, "containers"))
	if err != nil {
		return err
	}
	opts.Runtime = processes
	return nil
}

// restore fills the API server, which from then on stores what is written.
func (d *data) restore(server *apiserver.Server) error {
	if d == nil {
		return nil
	}
	return server.Persist(filepath.Join(d.dir, objectsFile))
}

// authority returns that of the directory, which is made when it is first needed.
func (d *data) authority() (*authority, error) {
	if d == nil {
		return newAuthority()
	}
	path := filepath.Join(d.dir, "authority.pem")
	content, err := os.ReadFile(path)
	if err == nil {
		a, err := parseAuthority(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: remove the file, and write the kubeconfigs again", path, err)
		}
		return a, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	a, err := newAuthority()
	if err == nil {
		content, err = a.encode()
	}
	if err == nil {
		err = writeFile(path, content)
	}
	return a, err
}

// close gives the directory back, once.
func (d *data) close() {
	if d != nil && !d.closed.Swap(true) {
		d.lock.release()
	}
}

// writeFile writes a file that only its owner may read. It replaces an existing one as a
// whole.
func writeFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	if err == nil {
		err = temporary.Sync()
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}
