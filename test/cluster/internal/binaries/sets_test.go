package binaries

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPinnedVersions(t *testing.T) {
	t.Parallel()
	kubernetes, err := kubernetesSet()
	require.NoError(t, err)
	require.Regexp(t, `^v1\.\d+\.\d+$`, kubernetes.version)
	containerd, err := containerdSet()
	require.NoError(t, err)
	require.Regexp(t, `^v2\.\d+\.\d+$`, containerd.version)

	// The staging modules must be those of the release, or the components would be
	// a mixture of versions.
	staging := "v0" + strings.TrimPrefix(kubernetes.version, "v1")
	replaced := 0
	for _, line := range strings.Split(string(kubernetesMod), "\n") {
		if module, target, ok := strings.Cut(strings.TrimSpace(line), " => "); ok {
			require.Equal(t, module+" "+staging, target)
			replaced++
		}
	}
	require.Greater(t, replaced, 30)

	_, err = pinned(kubernetesMod, "example.com/none")
	require.Error(t, err)
}

func TestDirChangesWithInputs(t *testing.T) {
	t.Parallel()
	base := set{name: "n", version: "v1", inputs: [][]byte{[]byte("ab"), []byte("c")}}
	same := base
	require.Equal(t, base.dir("/c"), same.dir("/c"))
	moved := base
	moved.inputs = [][]byte{[]byte("a"), []byte("bc")}
	require.NotEqual(t, base.dir("/c"), moved.dir("/c"))
	require.True(t, strings.HasPrefix(base.dir("/c"), "/c/n-v1-"), base.dir("/c"))
}

func TestFillIsAllOrNothing(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	boom := errors.New("boom")
	s := set{name: "n", version: "v1", files: []string{"one", "two"}}
	s.build = func(_ context.Context, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "one"), nil, 0o644), boom)
	}
	require.ErrorIs(t, fill(context.Background(), s, cache), boom)
	require.False(t, s.complete(cache))
	left, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.Empty(t, left)

	s.build = func(_ context.Context, dir string) error {
		for _, file := range s.files {
			if err := os.WriteFile(filepath.Join(dir, file), nil, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, fill(context.Background(), s, cache))
	require.True(t, s.complete(cache))
	require.NoError(t, os.Remove(filepath.Join(s.dir(cache), "two")))
	require.False(t, s.complete(cache))
	require.NoError(t, fill(context.Background(), s, cache), "an incomplete directory is replaced")
	require.True(t, s.complete(cache))
}

func TestGoSetBuildsPinnedProgram(t *testing.T) {
	t.Parallel()
	// A module without requirements can build programs of the standard library.
	s := goSet("n", "v1", []byte("module example.com/pins\n\ngo 1.26\n"), nil, nil, []program{{"cmd/pack", "tool"}})
	dir := t.TempDir()
	require.NoError(t, s.build(context.Background(), dir))
	info, err := os.Stat(filepath.Join(dir, "tool"))
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100)

	s = goSet("n", "v1", []byte("module example.com/pins\n\ngo 1.26\n"), nil, nil, []program{{"example.com/none", "tool"}})
	require.ErrorContains(t, s.build(context.Background(), dir), "example.com/none")
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(context.Background(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = lock(ctx, path)
	require.ErrorIs(t, err, context.Canceled)
	unlock()
	unlock, err = lock(context.Background(), path)
	require.NoError(t, err)
	unlock()
}

func TestFindNamesWhatIsMissing(t *testing.T) {
	t.Setenv(CacheEnv, t.TempDir())
	_, err := Find()
	require.ErrorIs(t, err, errNotBuilt)

	t.Setenv("PATH", t.TempDir())
	_, err = Find()
	require.ErrorIs(t, err, errNotBuilt)
	require.ErrorContains(t, err, "runc")
}

func TestStatic(t *testing.T) {
	t.Parallel()
	require.False(t, static(os.Args[0]+"-none"))
	require.False(t, static("/bin/sh"))
	_, err := fs.Stat(os.DirFS("/"), "bin/busybox")
	require.NoError(t, err)
	require.True(t, static("/bin/busybox"))
}
