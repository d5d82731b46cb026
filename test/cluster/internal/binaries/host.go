package binaries

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
)

// hostProgram is a program of the machine that a cluster uses.
type hostProgram struct {
	file    string // name in PATH, or absolute path
	pkg     string // Debian package that contains it
	usable  func(path string) bool
	purpose string
}

const (
	cniDir         = "/usr/lib/cni"
	busyboxProgram = "busybox"
	runcProgram    = "runc"
)

func hostPrograms() []hostProgram {
	return []hostProgram{
		{file: runcProgram, pkg: "runc", purpose: "runs containers"},
		{file: filepath.Join(cniDir, "ptp"), pkg: "containernetworking-plugins", purpose: "connects pods"},
		{file: busyboxProgram, pkg: "busybox-static", usable: static, purpose: "becomes the test image"},
		{file: "ip", pkg: "iproute2", purpose: "sets up the cluster's network"},
		{file: "unshare", pkg: "util-linux", purpose: "creates the cluster's namespaces"},
		{file: "mount", pkg: "mount", purpose: "mounts the cluster's file systems"},
		{file: "gcc", pkg: "gcc", purpose: "compiles the pause program"},
		{file: "/usr/include/stdlib.h", pkg: "libc6-dev", purpose: "compiles the pause program"},
	}
}

// static reports whether a program is statically linked, so that it runs in an image
// without libraries.
func static(path string) bool {
	file, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

// find returns the program's path, or "".
func (p hostProgram) find() string {
	path, err := exec.LookPath(p.file)
	if filepath.IsAbs(p.file) {
		path = p.file
		_, err = os.Stat(path)
	}
	if err != nil || p.usable != nil && !p.usable(path) {
		return ""
	}
	return path
}

func missing() []hostProgram {
	var programs []hostProgram
	for _, program := range hostPrograms() {
		if program.find() == "" {
			programs = append(programs, program)
		}
	}
	return programs
}

func hostPath(file string) string {
	for _, program := range hostPrograms() {
		if program.file == file {
			return program.find()
		}
	}
	return ""
}

// Install installs the programs that the machine lacks with apt-get. It runs no
// command if there are none. Without apt-get, its error says what to install.
func Install(ctx context.Context, logger *slog.Logger) error {
	var packages []string
	var names error
	for _, program := range missing() {
		packages = append(packages, program.pkg)
		names = errors.Join(names, fmt.Errorf("%s is missing (it %s; Debian package %s)", program.file, program.purpose, program.pkg))
	}
	if len(packages) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return names
	}
	logger.InfoContext(ctx, "installing Debian packages", "packages", packages)
	commands := [][]string{
		{"apt-get", "update"},
		append([]string{"apt-get", "install", "--yes", "--no-install-recommends"}, packages...),
	}
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := run(cmd); err != nil {
			return err
		}
	}
	if left := missing(); len(left) > 0 {
		return fmt.Errorf("%s is still missing after installing %s", left[0].file, left[0].pkg)
	}
	return nil
}
