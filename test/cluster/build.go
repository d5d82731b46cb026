package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/kontinue/kontinue/test/cluster/internal/binaries"
)

// CacheEnv is the environment variable with the directory of the built programs.
// Default: kontinue-cluster below [os.UserCacheDir].
const CacheEnv = binaries.CacheEnv

// VersionEnv is the environment variable with the Kubernetes version to build and run, as
// its Go module has it: "v1.35.4". Default: the version that is pinned, the only one whose
// dependencies are pinned, too. Each version has its own programs in the cache.
const VersionEnv = binaries.VersionEnv

// BusyboxImage is present on every node: /bin/sh and the busybox programs, statically
// linked. "busybox" and "alpine" of docker.io/library with the tags "test" and
// "latest" are the same image. With latest a pod needs imagePullPolicy IfNotPresent,
// because there is no registry to pull from. Pulling any other image fails with
// ErrImagePull.
const BusyboxImage = binaries.BusyboxImage

const pauseImage = binaries.PauseImage

// Install installs the programs that are not built from source (runc, CNI plugins,
// busybox, ...) with apt-get. It runs no command if they are all installed.
func Install(ctx context.Context, logger *slog.Logger) error {
	return binaries.Install(ctx, logger)
}

// Build installs and compiles what is missing and returns the Kubernetes version. The
// first build takes a quarter of an hour on two idle cores. Later calls return almost
// at once. Progress is logged at level Info.
func Build(ctx context.Context, logger *slog.Logger) (version string, err error) {
	found, err := binaries.Build(ctx, logger)
	if err != nil {
		return "", err
	}
	return found.Version, nil
}

// findBinaries finds the programs. Its error says how to build them.
func findBinaries() (*binaries.Binaries, error) {
	found, err := binaries.Find()
	if err != nil {
		return nil, fmt.Errorf("%w; in the module of package cluster run: go run ./cmd/kontinue-cluster build", err)
	}
	return found, nil
}

// Kubectl returns the path of kubectl, of the Kubernetes version of the cluster. The
// programs must have been built, see [Build].
func Kubectl() (string, error) {
	found, err := findBinaries()
	if err != nil {
		return "", err
	}
	return filepath.Join(found.Kubernetes, "kubectl"), nil
}
