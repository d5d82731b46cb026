package binaries

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

var (
	//go:embed source/kubernetes.mod
	kubernetesMod []byte
	//go:embed source/kubernetes.sum
	kubernetesSum []byte
	//go:embed source/containerd.mod
	containerdMod []byte
	//go:embed source/containerd.sum
	containerdSum []byte
	//go:embed source/pause.c
	pauseSource []byte
)

// set is a directory of the cache and how to fill it.
type set struct {
	name    string
	version string
	// inputs are hashed into the directory's name.
	inputs [][]byte
	// files are those that the directory of a complete set must contain.
	files []string
	build func(ctx context.Context, dir string) error
}

// dir returns the set's directory in the cache.
func (s set) dir(cache string) string {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.GOARCH)
	for _, input := range s.inputs {
		fmt.Fprintln(hash, len(input))
		hash.Write(input)
	}
	sum := hex.EncodeToString(hash.Sum(nil))[:12]
	return filepath.Join(cache, fmt.Sprintf("%s-%s-%s", s.name, s.version, sum))
}

// complete reports whether the set has been built. A directory gets its name in the
// cache only when it is complete.
func (s set) complete(cache string) bool {
	for _, file := range s.files {
		if _, err := os.Stat(filepath.Join(s.dir(cache), file)); err != nil {
			return false
		}
	}
	return true
}

// program is a main package of a Go module, and the file to build it into.
type program struct{ pkg, file string }

// goSet returns a set of programs from the modules that a go.mod pins.
func goSet(name, version string, mod, sum []byte, flags []string, programs []program) set {
	s := set{name: name, version: version, inputs: [][]byte{mod, sum, []byte(strings.Join(flags, "\n"))}}
	return s.with(programs, append([]string{"-mod=readonly"}, flags...), writeModule(mod, sum))
}

// with adds programs, which are built in the module that write leaves in a directory.
func (s set) with(programs []program, flags []string, write func(ctx context.Context, dir string) error) set {
	for _, p := range programs {
		s.files = append(s.files, p.file)
		s.inputs = append(s.inputs, []byte(p.pkg))
	}
	s.build = func(ctx context.Context, dir string) error {
		source, err := os.MkdirTemp("", "kontinue-cluster-"+s.name+"-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(source)
		if err := write(ctx, source); err != nil {
			return err
		}
		for _, p := range programs {
			args := append([]string{"build", "-buildvcs=false"}, flags...)
			cmd := exec.CommandContext(ctx, "go", append(args, "-o", filepath.Join(dir, p.file), p.pkg)...)
			cmd.Dir, cmd.Env = source, environment()
			if err := run(cmd); err != nil {
				return err
			}
		}
		return nil
	}
	return s
}

// environment returns that of the go command. A workspace or flags of the caller must not
// affect the build.
func environment() []string { return append(os.Environ(), "GOWORK=off", "GOFLAGS=") }

// writeModule writes a go.mod and a go.sum.
func writeModule(mod, sum []byte) func(ctx context.Context, dir string) error {
	return func(_ context.Context, dir string) error {
		for file, content := range map[string][]byte{"go.mod": mod, "go.sum": sum} {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
}

// kubernetesSet returns the control plane, the kubelet, kubectl and the etcd release that this
// Kubernetes release was built against.
func kubernetesSet() (set, error) {
	version, isPinned, err := kubernetesVersion()
	if err != nil {
		return set{}, err
	}
	// Without these flags the components report version v0.0.0 and fail to compare
	// it with those of their peers.
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	const pkg = "k8s.io/component-base/version."
	flags := []string{"-ldflags", fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s",
		pkg, version, pkg, parts[0], pkg, parts[1])}
	programs := []program{
		{"go.etcd.io/etcd/server/v3", "etcd"},
		{"k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"},
		{"k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"},
		{"k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"},
		{"k8s.io/kubernetes/cmd/kubelet", "kubelet"},
		{"k8s.io/kubernetes/cmd/kubectl", "kubectl"},
	}
	if isPinned {
		return goSet("kubernetes", version, kubernetesMod, kubernetesSum, flags, programs), nil
	}
	s := set{name: "kubernetes", version: version, inputs: [][]byte{[]byte("generated " + generatedRecipe), []byte(strings.Join(flags, "\n"))}}
	return s.with(programs, append([]string{"-mod=mod"}, flags...), generated(version)), nil
}

// containerdSet returns containerd without the snapshotters that need libraries of
// the host.
func containerdSet() (set, error) {
	const module = "github.com/containerd/containerd/v2"
	version, err := pinned(containerdMod, module)
	if err != nil {
		return set{}, err
	}
	flags := []string{"-tags", "no_btrfs,no_devmapper,no_zfs", "-ldflags", "-s -w -X " + module + "/version.Version=" + version}
	return goSet("containerd", version, containerdMod, containerdSum, flags, []program{
		{module + "/cmd/containerd", "containerd"},
		{module + "/cmd/containerd-shim-runc-v2", "containerd-shim-runc-v2"},
		{module + "/cmd/ctr", "ctr"},
	}), nil
}

// pinned returns a module's version from a go.mod.
func pinned(mod []byte, module string) (string, error) {
	match := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(mod)
	if match == nil {
		return "", fmt.Errorf("no version of %s is pinned", module)
	}
	return string(match[1]), nil
}

// run runs a command. The error contains its output.
func run(cmd *exec.Cmd) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, output.Bytes())
	}
	return nil
}

// errNotBuilt is wrapped by errors that name what is missing.
var errNotBuilt = errors.New("not built")
