package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/test/cluster"
)

const (
	// imageEnv is the environment variable with an image for the cluster of KUBECONFIG.
	imageEnv     = "KONTINUE_E2E_IMAGE"
	foreignImage = "busybox:1.37"
	// startLimit leaves room for a busy machine.
	startLimit = 3 * time.Minute
)

// programs are the paths of what the tests run.
var programs struct{ kubectl, kontinue, tmux string }

// realCluster is a cluster that is not in memory.
var realCluster struct{ kubeconfig, image string }

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cli:", err)
		code = 1
	}
	os.Exit(code)
}

// run builds the program, starts a real cluster, unless KUBECONFIG is set, and runs the
// tests.
func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "kontinue-cli-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs.kontinue = filepath.Join(dir, "kontinue")
	build := exec.CommandContext(ctx, "go", "build", "-o", programs.kontinue, ".")
	build.Dir, build.Stderr = "../../../cmd/kontinue", os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("build kontinue: %w", err)
	}
	if programs.tmux, err = installTmux(ctx); err != nil {
		return 1, err
	}
	if path := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); path != "" {
		realCluster.kubeconfig, realCluster.image = path, foreignImage
		if image := os.Getenv(imageEnv); image != "" {
			realCluster.image = image
		}
		if programs.kubectl, err = exec.LookPath("kubectl"); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}
	if programs.kubectl, err = cluster.Kubectl(); err != nil {
		return 1, err
	}
	own, err := cluster.Start(ctx, cluster.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return 1, err
	}
	realCluster.kubeconfig, realCluster.image = own.Kubeconfig(cluster.Admin), cluster.BusyboxImage
	code = m.Run()
	stop, cancelStop := context.WithTimeout(context.Background(), startLimit)
	defer cancelStop()
	if err := own.Stop(stop); err != nil || code != 0 {
		return code, err
	}
	return code, goleak.Find()
}

// installTmux returns the path of tmux, which it installs if it is missing.
func installTmux(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("tmux"); err == nil {
		return path, nil
	}
	for _, args := range [][]string{{"update"}, {"install", "--yes", "--no-install-recommends", "tmux"}} {
		install := exec.CommandContext(ctx, "apt-get", args...)
		if out, err := install.CombinedOutput(); err != nil {
			return "", fmt.Errorf("install tmux with apt-get: %w\n%s", err, out)
		}
	}
	return exec.LookPath("tmux")
}
