package binaries

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const upstreamMod = `// generated
module k8s.io/kubernetes

go 1.25.0

godebug default=go1.25

require (
	go.etcd.io/etcd/server/v3 v3.6.5 // indirect
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/cri-api => ./staging/src/k8s.io/cri-api
	k8s.io/sample-apiserver => ./staging/src/k8s.io/sample-apiserver
)

replace k8s.io/kubectl => ./staging/src/k8s.io/kubectl
`

func TestGenerateMod(t *testing.T) {
	t.Parallel()
	mod, err := generateMod([]byte(upstreamMod), "v1.35.4")
	require.NoError(t, err)
	for _, line := range []string{
		"module github.com/kontinue/kontinue/test/cluster/binaries/generated", "go 1.25.0", "godebug default=go1.25",
		"\tgo.etcd.io/etcd/server/v3 v3.6.5 // indirect", "\tk8s.io/klog/v2 v2.130.1",
		"\tk8s.io/api => k8s.io/api v0.35.4", "\tk8s.io/cri-api => k8s.io/cri-api v0.35.4",
		"\tk8s.io/sample-apiserver => ./k8s.io/sample-apiserver",
		"replace k8s.io/kubectl => k8s.io/kubectl v0.35.4", "require k8s.io/kubernetes v1.35.4",
	} {
		require.Contains(t, string(mod), "\n"+line+"\n")
	}
	require.NotContains(t, string(mod), "staging")
	version, err := pinned(mod, kubernetesModule)
	require.NoError(t, err)
	require.Equal(t, "v1.35.4", version)

	_, err = generateMod([]byte("module k8s.io/kubernetes\n"), "v1.35.4")
	require.ErrorContains(t, err, "v1.35.4")
}

// Another version must not be mistaken for the pinned one, whose directory must not
// depend on the variable.
func TestVersions(t *testing.T) {
	fixed, err := kubernetesSet()
	require.NoError(t, err)
	t.Setenv(VersionEnv, fixed.version)
	same, err := kubernetesSet()
	require.NoError(t, err)
	require.Equal(t, fixed.dir("/c"), same.dir("/c"))

	t.Setenv(VersionEnv, "v1.30.14")
	other, err := kubernetesSet()
	require.NoError(t, err)
	require.Equal(t, fixed.files, other.files)
	require.True(t, strings.HasPrefix(other.dir("/c"), "/c/kubernetes-v1.30.14-"), other.dir("/c"))

	for _, wrong := range []string{"1.35.4", "v1.35", "latest", "v1.36.0-rc.1"} {
		t.Setenv(VersionEnv, wrong)
		_, err := kubernetesSet()
		require.ErrorContains(t, err, wrong)
	}
}

// A build that waited for another one of the same set does not repeat it.
func TestEnsureBuildsOnce(t *testing.T) {
	t.Parallel()
	cache, logger := t.TempDir(), slog.New(slog.DiscardHandler)
	second := make(chan error, 1)
	builds := 0
	s := set{name: "n", version: "v1", files: []string{"one"}}
	s.build = func(ctx context.Context, dir string) error {
		if builds++; builds == 1 {
			began := make(chan struct{})
			go func() {
				close(began)
				second <- ensure(ctx, logger, s, cache)
			}()
			<-began
		}
		return os.WriteFile(filepath.Join(dir, "one"), nil, 0o644)
	}
	require.NoError(t, ensure(t.Context(), logger, s, cache))
	require.NoError(t, <-second)
	require.Equal(t, 1, builds)
}

// A build does not wait for that of another set.
func TestEnsureLocksOneSet(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	builds := 0
	s := set{name: "n", version: "v1", files: []string{"one"}, build: func(_ context.Context, dir string) error {
		builds++
		return os.WriteFile(filepath.Join(dir, "one"), nil, 0o644)
	}}
	other := set{name: "n", version: "v2", files: s.files, build: func(ctx context.Context, dir string) error {
		return ensure(ctx, slog.New(slog.DiscardHandler), s, cache)
	}}
	// The other set remains incomplete, and its lock is held while s is built.
	require.NoError(t, ensure(t.Context(), slog.New(slog.DiscardHandler), other, cache))
	require.NoError(t, ensure(t.Context(), slog.New(slog.DiscardHandler), s, cache))
	require.Equal(t, 1, builds)

	unlock, err := lock(t.Context(), other.dir(cache)+".lock")
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, ensure(ctx, slog.New(slog.DiscardHandler), other, cache), context.Canceled)
}
