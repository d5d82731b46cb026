package binaries

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func untar(t *testing.T, data []byte) map[string]string {
	t.Helper()
	entries := map[string]string{}
	archive := tar.NewReader(bytes.NewReader(data))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		require.NoError(t, err)
		content, err := io.ReadAll(archive)
		require.NoError(t, err)
		entries[header.Name] = header.Linkname + string(content)
	}
}

func TestWriteImage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "image.tar")
	err := writeImage(path, []string{"a:1", "b:1"}, imageConfig{Entrypoint: []string{"/x"}}, []layerFile{
		{path: "d/", mode: 0o755}, {path: "d/file", mode: 0o644, content: []byte("data")}, {path: "d/link", link: "file"},
	})
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	entries := untar(t, data)

	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	require.NoError(t, json.Unmarshal([]byte(entries["manifest.json"]), &manifest))
	require.Equal(t, []string{"a:1", "b:1"}, manifest[0].RepoTags)
	layer := entries[manifest[0].Layers[0]]
	require.Equal(t, map[string]string{"d/": "", "d/file": "data", "d/link": "file"}, untar(t, []byte(layer)))

	var config struct {
		Config struct{ Entrypoint []string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(entries[manifest[0].Config]), &config))
	require.Equal(t, []string{"/x"}, config.Config.Entrypoint)
	digest := sha256.Sum256([]byte(layer))
	require.Equal(t, []string{"sha256:" + hex.EncodeToString(digest[:])}, config.RootFS.DiffIDs)
}

func TestImageSetBuilds(t *testing.T) {
	t.Parallel()
	s, err := imageSet(hostPath(busyboxProgram))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, s.build(t.Context(), dir))
	require.True(t, static(filepath.Join(dir, pauseFile)))
	data, err := os.ReadFile(filepath.Join(dir, busyboxImageFile))
	require.NoError(t, err)
	files := untar(t, []byte(untar(t, data)["layer.tar"]))
	require.Equal(t, "busybox", files["bin/sh"])
	require.Contains(t, files, "bin/busybox")
	require.Contains(t, files, "tmp/")
}
