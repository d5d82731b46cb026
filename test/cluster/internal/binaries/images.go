package binaries

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Names of the images on every node. Their tag must not be latest, for which the API
// server defaults imagePullPolicy to Always: there is no registry to pull from.
const (
	// BusyboxImage has /bin/sh and the busybox programs.
	BusyboxImage = "kontinue.test/busybox:1"
	// PauseImage is the image of pod sandboxes.
	PauseImage = "kontinue.test/pause:1"
)

// busyboxAliases are common image names, so that examples that use them run. With the
// tag latest they need imagePullPolicy IfNotPresent.
var busyboxAliases = []string{
	"docker.io/library/busybox:test", "docker.io/library/busybox:latest",
	"docker.io/library/alpine:test", "docker.io/library/alpine:latest",
}

const (
	pauseFile         = "pause"
	pauseImageFile    = "pause.tar"
	busyboxImageFile  = "busybox.tar"
	imageSetVersion   = "v1"
	imageRecipeChange = "1" // increment to rebuild after a change in this file
)

// imageSet compiles the pause program and packs both images.
func imageSet(busybox string) (set, error) {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return set{}, err
	}
	return set{
		name: "images", version: imageSetVersion,
		inputs: [][]byte{pauseSource, program, []byte(imageRecipeChange)},
		files:  []string{pauseFile, pauseImageFile, busyboxImageFile},
		build: func(ctx context.Context, dir string) error {
			pause := filepath.Join(dir, pauseFile)
			gcc := exec.CommandContext(ctx, "gcc", "-x", "c", "-O2", "-static", "-s", "-Wall", "-Werror", "-o", pause, "-")
			gcc.Stdin = bytes.NewReader(pauseSource)
			if err := run(gcc); err != nil {
				return err
			}
			compiled, err := os.ReadFile(pause)
			if err != nil {
				return err
			}
			image := imageConfig{Entrypoint: []string{"/pause"}}
			err = writeImage(filepath.Join(dir, pauseImageFile), []string{PauseImage}, image,
				[]layerFile{{path: "pause", mode: 0o755, content: compiled}})
			if err != nil {
				return err
			}
			files, err := busyboxFiles(ctx, busybox, program)
			if err != nil {
				return err
			}
			image = imageConfig{Env: []string{"PATH=/bin"}, Cmd: []string{"/bin/sh"}}
			return writeImage(filepath.Join(dir, busyboxImageFile), append([]string{BusyboxImage}, busyboxAliases...), image, files)
		},
	}, nil
}

// busyboxFiles returns a minimal root file system with a link for each program that
// busybox contains.
func busyboxFiles(ctx context.Context, path string, program []byte) ([]layerFile, error) {
	list, err := exec.CommandContext(ctx, path, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", path, err)
	}
	files := []layerFile{
		{path: "bin/", mode: 0o755},
		{path: "etc/", mode: 0o755},
		{path: "root/", mode: 0o700},
		{path: "tmp/", mode: 0o1777},
		{path: "usr/", mode: 0o755},
		{path: "usr/bin/", mode: 0o755},
		{path: "usr/bin/env", link: "/bin/busybox"},
		{path: "etc/passwd", mode: 0o644, content: []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")},
		{path: "etc/group", mode: 0o644, content: []byte("root:x:0:\nnobody:x:65534:\n")},
		{path: "bin/busybox", mode: 0o755, content: program},
	}
	for _, name := range strings.Fields(string(list)) {
		if name != "busybox" {
			files = append(files, layerFile{path: "bin/" + name, link: "busybox"})
		}
	}
	return files, nil
}

// layerFile is one entry of an image layer. It is a directory if its path ends in a
// slash, and a symbolic link if link is set.
type layerFile struct {
	path    string
	mode    int64
	content []byte
	link    string
}

// imageConfig is the part of the image configuration that containers use.
type imageConfig struct {
	Env        []string `json:",omitempty"`
	Entrypoint []string `json:",omitempty"`
	Cmd        []string `json:",omitempty"`
}

// writeImage writes a one-layer image in the format of "docker save", which
// `ctr images import` reads.
func writeImage(path string, names []string, config imageConfig, files []layerFile) error {
	layer, err := tarFiles(files)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(layer)
	configJSON, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": names, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	archive, err := tarFiles([]layerFile{
		{path: "manifest.json", mode: 0o644, content: manifest},
		{path: "config.json", mode: 0o644, content: configJSON},
		{path: "layer.tar", mode: 0o644, content: layer},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, archive, 0o644)
}

func tarFiles(files []layerFile) ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, file := range files {
		header := &tar.Header{
			Name: file.path, Mode: file.mode, Size: int64(len(file.content)),
			Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		}
		switch {
		case strings.HasSuffix(file.path, "/"):
			header.Typeflag = tar.TypeDir
		case file.link != "":
			header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, file.link, 0o777
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(file.content); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return buffer.Bytes(), err
}
