package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// ownerEnv makes the test binary the owner of a sandbox in the given directory until
// it is killed.
const ownerEnv = "SANDBOX_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		own(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func own(dir string) {
	s, err := New(context.Background(), testConfig(dir))
	if err == nil {
		_, err = s.Run(sleeper(dir))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	select {}
}

// testConfig returns the configuration of a sandbox. It needs DIR/pause.
func testConfig(dir string) Config {
	return Config{
		Dir:       dir,
		Cgroup:    "kontinue-test-" + filepath.Base(filepath.Dir(dir)),
		Groups:    []string{"a", "b"},
		Pause:     filepath.Join(filepath.Dir(dir), "pause"),
		Addresses: []string{"10.88.0.1/24"},
	}
}

// sleeper starts a child in another process group, as containers do.
func sleeper(dir string) Command {
	return Command{
		Name: "sleeper", Group: "a", Log: filepath.Join(filepath.Dir(dir), "sleeper.log"),
		Args: []string{"/bin/sh", "-c", "setsid sleep 1000 & sleep 1000"},
		Env:  []string{"PATH=/usr/bin:/bin"},
	}
}

// newDir returns a state directory next to a compiled pause program.
func newDir(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("", "sandbox-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(base)) })
	out, err := exec.Command("gcc", "-static", "-o", filepath.Join(base, "pause"), "../binaries/source/pause.c").CombinedOutput()
	require.NoError(t, err, string(out))
	dir := filepath.Join(base, "state")
	require.NoError(t, os.Mkdir(dir, 0o700))
	return dir
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
