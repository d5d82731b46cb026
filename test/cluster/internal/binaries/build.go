package binaries

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// CacheEnv is the environment variable with the directory of the cache.
const CacheEnv = "KONTINUE_CLUSTER_CACHE"

// Binaries holds the paths of a cluster's programs.
type Binaries struct {
	// Version is the Kubernetes version, "v1.37.2".
	Version string
	// Kubernetes is the directory of etcd and the Kubernetes components, Containerd
	// that of containerd's programs.
	Kubernetes, Containerd string
	// Runc is the path of runc, CNI the directory of the CNI plugins.
	Runc, CNI string
	// Pause is a static program that only reaps orphans.
	Pause string
	// Images are archives to import into containerd.
	Images []string
}

// CacheDir returns $KONTINUE_CLUSTER_CACHE, or a subdirectory of the user's cache if
// it is not set.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for the cluster's programs, set %s: %w", CacheEnv, err)
	}
	return filepath.Join(dir, "kontinue-cluster"), nil
}

// sets returns all sets of the cache. It fails if a program of the host is missing.
func sets() (kubernetes, containerd, images set, err error) {
	if kubernetes, err = kubernetesSet(); err != nil {
		return
	}
	if containerd, err = containerdSet(); err != nil {
		return
	}
	if lacking := missing(); len(lacking) > 0 {
		err = fmt.Errorf("%s (Debian package %s): %w", lacking[0].file, lacking[0].pkg, errNotBuilt)
		return
	}
	images, err = imageSet(hostPath(busyboxProgram))
	return
}

// Find returns the programs, or an error that names what is missing.
func Find() (*Binaries, error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	kubernetes, containerd, images, err := sets()
	if err != nil {
		return nil, err
	}
	for _, s := range []set{kubernetes, containerd, images} {
		if !s.complete(cache) {
			return nil, fmt.Errorf("%s: %w", s.dir(cache), errNotBuilt)
		}
	}
	dir := images.dir(cache)
	return &Binaries{
		Version:    kubernetes.version,
		Kubernetes: kubernetes.dir(cache),
		Containerd: containerd.dir(cache),
		Runc:       hostPath(runcProgram),
		CNI:        cniDir,
		Pause:      filepath.Join(dir, pauseFile),
		Images:     []string{filepath.Join(dir, pauseImageFile), filepath.Join(dir, busyboxImageFile)},
	}, nil
}

// Build installs and builds what is missing, and returns the programs. The first build
// compiles Kubernetes, which takes a quarter of an hour on two cores. Processes that
// build the same at the same time wait for each other.
func Build(ctx context.Context, logger *slog.Logger) (*Binaries, error) {
	if err := Install(ctx, logger); err != nil {
		return nil, fmt.Errorf("install host programs: %w", err)
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	kubernetes, containerd, images, err := sets()
	if err != nil {
		return nil, err
	}
	for _, s := range []set{images, containerd, kubernetes} {
		if err := ensure(ctx, logger, s, cache); err != nil {
			return nil, fmt.Errorf("build %s %s: %w", s.name, s.version, err)
		}
	}
	return Find()
}

// ensure builds a set unless it is complete. Each set has its own lock, so that a process
// does not wait for the build of a version that it does not use.
func ensure(ctx context.Context, logger *slog.Logger, s set, cache string) error {
	if s.complete(cache) {
		return nil
	}
	unlock, err := lock(ctx, s.dir(cache)+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if s.complete(cache) {
		return nil // another process has built it meanwhile
	}
	began := time.Now()
	logger.InfoContext(ctx, "building", "set", s.name, "version", s.version)
	if err := fill(ctx, s, cache); err != nil {
		return err
	}
	logger.InfoContext(ctx, "built", "set", s.name, "took", time.Since(began).Round(time.Second))
	return nil
}

// fill builds a set in a temporary directory, and renames that when it is complete.
func fill(ctx context.Context, s set, cache string) (err error) {
	dir, err := os.MkdirTemp(cache, ".building-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := s.build(ctx, dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	target := s.dir(cache)
	if err := os.RemoveAll(target); err != nil { // it may be incomplete
		return err
	}
	return os.Rename(dir, target)
}

// lock takes an advisory lock on a file and holds it until unlock is called or the
// process ends.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("wait for another process to release %s: %w", path, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
