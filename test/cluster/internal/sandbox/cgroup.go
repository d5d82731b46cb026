package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	mountInfo = "/proc/self/mountinfo"
	// initGroup holds the sandbox's first process.
	initGroup = "init"
)

// hierarchy is a mounted cgroup tree of the host. There are several with cgroup v1,
// one with v2, and both kinds on a hybrid machine.
type hierarchy struct {
	mountpoint string
	fstype     string // cgroup or cgroup2
	options    string // mount options that select the same tree again
}

// parseHierarchies reads the cgroup mounts from a mountinfo file, see proc(5).
func parseHierarchies(mountinfo string) ([]hierarchy, error) {
	var found []hierarchy
	scanner := bufio.NewScanner(strings.NewReader(mountinfo))
	for scanner.Scan() {
		mount, super, ok := strings.Cut(scanner.Text(), " - ")
		if !ok {
			continue
		}
		fields, superFields := strings.Fields(mount), strings.Fields(super)
		if len(fields) < 5 || len(superFields) < 3 {
			continue
		}
		h := hierarchy{mountpoint: fields[4], fstype: superFields[0]}
		switch h.fstype {
		case "cgroup2":
		case "cgroup":
			h.options = cgroupOptions(superFields[2])
		default:
			continue
		}
		if !strings.HasPrefix(h.mountpoint, "/sys/fs/cgroup") ||
			slices.ContainsFunc(found, func(o hierarchy) bool { return o.mountpoint == h.mountpoint }) {
			continue
		}
		found = append(found, h)
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted below /sys/fs/cgroup")
	}
	return found, scanner.Err()
}

// cgroupOptions keeps the mount options that identify a v1 hierarchy (controllers and
// a name), and drops generic ones.
func cgroupOptions(super string) string {
	var keep []string
	for _, option := range strings.Split(super, ",") {
		switch {
		case option == "rw", option == "ro", option == "xattr", option == "clone_children",
			option == "noprefix", strings.HasPrefix(option, "release_agent="):
		case strings.HasPrefix(option, "name="):
			keep = append(keep, "none", option)
		default:
			keep = append(keep, option)
		}
	}
	return strings.Join(keep, ",")
}

// cgroup is a directory with the same name in every hierarchy of the host.
type cgroup struct {
	name        string
	hierarchies []hierarchy
}

func findCgroup(name string) (*cgroup, error) {
	data, err := os.ReadFile(mountInfo)
	if err != nil {
		return nil, err
	}
	hierarchies, err := parseHierarchies(string(data))
	if err != nil {
		return nil, err
	}
	return &cgroup{name: name, hierarchies: hierarchies}, nil
}

// create creates the directories, with one child for each group.
func (c *cgroup) create(groups []string) error {
	for _, h := range c.hierarchies {
		root := filepath.Join(h.mountpoint, c.name)
		if err := os.MkdirAll(root, 0o755); err != nil {
			return fmt.Errorf("create cgroup: %w", err)
		}
		if err := initCpuset(h.mountpoint, root); err != nil {
			return err
		}
		for _, group := range groups {
			if err := os.MkdirAll(filepath.Join(root, group), 0o755); err != nil {
				return fmt.Errorf("create cgroup: %w", err)
			}
		}
	}
	return nil
}

// initCpuset copies the CPUs and memory nodes of the parent: a v1 cpuset starts empty,
// and no process can join an empty one.
func initCpuset(parent, root string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		// v2 has files with these names, too, where an empty one inherits from the parent.
		if !exists(filepath.Join(root, "cgroup.clone_children")) {
			return nil
		}
		value, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, file), value, 0o644); err != nil {
			return fmt.Errorf("initialize cpuset: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "cgroup.clone_children"), []byte("1"), 0o644); err != nil {
		return fmt.Errorf("initialize cpuset: %w", err)
	}
	return nil
}

// list returns the hierarchies in the format that init.sh reads.
func (c *cgroup) list() string {
	var b strings.Builder
	for _, h := range c.hierarchies {
		fmt.Fprintf(&b, "%s|%s|%s\n", h.mountpoint, h.fstype, h.options)
	}
	return b.String()
}

// pids returns the processes anywhere below the cgroup, except those in the excluded
// top-level groups and the caller itself.
func (c *cgroup) pids(exclude ...string) ([]int, error) {
	seen := map[int]bool{}
	for _, h := range c.hierarchies {
		root := filepath.Join(h.mountpoint, c.name)
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENODEV):
				return nil // deleted during the walk
			case err != nil:
				return err
			case entry.IsDir() && filepath.Dir(path) == root && slices.Contains(exclude, entry.Name()):
				return filepath.SkipDir
			case entry.IsDir() || entry.Name() != "cgroup.procs":
				return nil
			}
			data, _ := os.ReadFile(path) // empty if its cgroup was deleted
			for _, field := range strings.Fields(string(data)) {
				// 0 stands for a process of another pid namespace.
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 && pid != os.Getpid() {
					seen[pid] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read cgroup members: %w", err)
		}
	}
	pids := make([]int, 0, len(seen))
	for pid := range seen {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

// signal sends sig to every process that pids returns, and returns their number.
func (c *cgroup) signal(sig syscall.Signal, exclude ...string) (int, error) {
	pids, err := c.pids(exclude...)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return len(pids), fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	return len(pids), nil
}

// remove kills the remaining processes and deletes the directories. It retries until
// ctx is done, because a dying process keeps its cgroup busy for a while.
func (c *cgroup) remove(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		if _, err := c.signal(syscall.SIGKILL); err != nil {
			return false, err
		}
		var failed error
		for _, h := range c.hierarchies {
			if err := removeTree(filepath.Join(h.mountpoint, c.name)); err != nil {
				failed = err
			}
		}
		return failed == nil, failed
	})
}

// removeTree deletes a cgroup and its descendants. In a cgroup file system only
// directories can be removed, which also removes their files.
func removeTree(root string) error {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(root, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(root); err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("remove cgroup %s: %w", root, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
