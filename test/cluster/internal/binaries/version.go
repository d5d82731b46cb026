package binaries

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// VersionEnv is the environment variable with the Kubernetes version to build and run,
// as its Go module has it ("v1.35.4"). Default: the version that source/kubernetes.mod
// pins.
const VersionEnv = "KONTINUE_CLUSTER_VERSION"

const (
	kubernetesModule = "k8s.io/kubernetes"
	// generatedRecipe is part of the name of the sets of other versions: increment it to
	// rebuild them after a change in this file.
	generatedRecipe = "1"
)

var (
	releaseVersion = regexp.MustCompile(`^v1\.\d+\.\d+$`)
	moduleLine     = regexp.MustCompile(`(?m)^module \S+$`)
	stagingLine    = regexp.MustCompile(`(?m)^(\s*(?:replace )?(k8s\.io/\S+)) => \./staging/src/\S+$`)
	sampleLine     = regexp.MustCompile(`(?m)(k8s\.io/sample-\S+) => .*$`)
)

// kubernetesVersion returns the version to build and run, and whether it is the one that
// is pinned.
func kubernetesVersion() (version string, isPinned bool, err error) {
	fixed, err := pinned(kubernetesMod, kubernetesModule)
	if err != nil {
		return "", false, err
	}
	version = os.Getenv(VersionEnv)
	if version == "" || version == fixed {
		return fixed, true, nil
	}
	if !releaseVersion.MatchString(version) {
		return "", false, fmt.Errorf("%s is %q: use the version of a release, such as %s", VersionEnv, version, fixed)
	}
	return version, false, nil
}

// generated writes the go.mod and go.sum of a version that is not pinned. They are those
// of Kubernetes itself, so that the components and etcd are built with the dependencies
// of the release.
func generated(version string) func(ctx context.Context, dir string) error {
	return func(ctx context.Context, dir string) error {
		download := exec.CommandContext(ctx, "go", "mod", "download", "-json", kubernetesModule+"@"+version)
		download.Dir, download.Env = dir, environment()
		var output bytes.Buffer
		download.Stdout = &output
		if err := download.Run(); err != nil { // the output has the reason
			return fmt.Errorf("%s: %w\n%s", strings.Join(download.Args, " "), err, output.Bytes())
		}
		var module struct{ GoMod, Dir string }
		if err := json.Unmarshal(output.Bytes(), &module); err != nil {
			return err
		}
		upstream, err := os.ReadFile(module.GoMod)
		if err != nil {
			return err
		}
		mod, err := generateMod(upstream, version)
		if err != nil {
			return err
		}
		sum, err := os.ReadFile(filepath.Join(module.Dir, "go.sum"))
		if err != nil {
			return err
		}
		for _, sample := range sampleLine.FindAllSubmatch(mod, -1) {
			if err := writeSample(filepath.Join(dir, string(sample[1]))); err != nil {
				return err
			}
		}
		return writeModule(mod, sum)(ctx, dir)
	}
}

// writeSample writes a module without packages in the place of one of Kubernetes' samples: no
// program needs those, and not each module proxy has those of each release.
func writeSample(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/sample\n"), 0o644)
}

// generateMod turns the go.mod of Kubernetes into that of a module that only builds its
// programs: what the repository replaces by its staging directory is replaced by the
// module that was published for the same release, and each of its samples by a directory.
func generateMod(upstream []byte, version string) ([]byte, error) {
	if !stagingLine.Match(upstream) || !moduleLine.Match(upstream) {
		return nil, fmt.Errorf("the go.mod of %s %s has no module line, or replaces no staging module", kubernetesModule, version)
	}
	mod := moduleLine.ReplaceAll(upstream, []byte("module github.com/kontinue/kontinue/test/cluster/binaries/generated"))
	mod = stagingLine.ReplaceAll(mod, []byte("$1 => $2 v0"+strings.TrimPrefix(version, "v1")))
	mod = sampleLine.ReplaceAll(mod, []byte("$1 => ./$1"))
	return fmt.Appendf(mod, "\nrequire %s %s\n", kubernetesModule, version), nil
}
