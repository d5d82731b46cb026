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

// CacheEnv names the environment variable that moves the cache.
const CacheEnv = "KONTINUE_CLUSTER_CACHE"

// Binaries says where the programs of a cluster are.
type Binaries struct {
	// Version is the Kubernetes version, "v1.37.2".
	Version string
	// Kubernetes holds etcd and the kube programs, Containerd its three.
	Kubernetes, Containerd string
	// Runc is a path, CNI a directory of plugins.
	Runc, CNI string
	// Pause is a static program that reaps orphans for ever.
	Pause string
	// Images are archives to import into containerd.
	Images []string
}

// CacheDir is $KONTINUE_CLUSTER_CACHE or, without it, a directory of the
// user's cache.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cluster's programs, set %s: %w", CacheEnv, err)
	}
	return filepath.Join(dir, "kontinue-cluster"), nil
}

// sets are all parts of the cache. They need the programs of the host.
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

// Find returns the programs if they are all there, else an error that names
// what is missing.
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

// Build installs and builds whatever is missing, and returns the programs. A
// first run compiles Kubernetes, which takes a quarter of an hour on two
// cores; processes that build at the same time wait for each other.
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
	unlock, err := lock(ctx, filepath.Join(cache, ".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	kubernetes, containerd, images, err := sets()
	if err != nil {
		return nil, err
	}
	for _, s := range []set{images, containerd, kubernetes} {
		if s.complete(cache) {
			continue
		}
		began := time.Now()
		logger.InfoContext(ctx, "building", "set", s.name, "version", s.version)
		if err := fill(ctx, s, cache); err != nil {
			return nil, fmt.Errorf("build %s %s: %w", s.name, s.version, err)
		}
		logger.InfoContext(ctx, "built", "set", s.name, "took", time.Since(began).Round(time.Second))
	}
	return Find()
}

// fill builds into a directory of another name and renames it when it is whole.
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
	if err := os.RemoveAll(target); err != nil { // an incomplete one
		return err
	}
	return os.Rename(dir, target)
}

// lock takes an advisory lock on a file and keeps it until unlock is called or
// the process ends.
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
