package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// proxy is a module proxy in a folder, with the modules of the release. The go command gets
// other modules from its cache, or from where it gets them otherwise.
type proxy struct {
	dir string
	env []string
}

func newProxy(ctx context.Context, dir, work string) (*proxy, error) {
	known, err := command(ctx, dir, nil, "go", "env", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	cache, others, _ := strings.Cut(known, "\n")
	p := &proxy{dir: filepath.Join(work, "proxy")}
	p.env = []string{
		// A cache of its own: a version that is prepared twice may have changed.
		"GOMODCACHE=" + filepath.Join(work, "cache"), "GOFLAGS=-modcacherw", "GOWORK=off",
		"GOPROXY=file://" + p.dir + ",file://" + filepath.Join(cache, "cache", "download") + "," + others,
		"GONOSUMDB=*", "GOBIN=" + filepath.Join(work, "bin"),
	}
	return p, nil
}

// run runs the go command.
func (p *proxy) run(ctx context.Context, dir string, args ...string) (string, error) {
	return command(ctx, dir, p.env, "go", args...)
}

// publish puts the module in a folder into the proxy, and returns its path.
func (p *proxy) publish(folder, version string) (string, error) {
	mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return "", err
	}
	m := module.Version{Path: modfile.ModulePath(mod), Version: version}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, m, folder); err != nil {
		return "", fmt.Errorf("pack the module %s: %w", m.Path, err)
	}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	versions := filepath.Join(p.dir, escaped, "@v")
	info := fmt.Sprintf(`{"Version":%q}`, version)
	return m.Path, errors.Join(
		os.MkdirAll(versions, 0o755),
		os.WriteFile(filepath.Join(versions, "list"), []byte(version+"\n"), 0o644),
		os.WriteFile(filepath.Join(versions, version+".info"), []byte(info), 0o644),
		os.WriteFile(filepath.Join(versions, version+".mod"), mod, 0o644),
		os.WriteFile(filepath.Join(versions, version+".zip"), archive.Bytes(), 0o644),
	)
}

// try does what a user of the release does: a new module that imports the libraries is built,
// and the command is installed and says its version.
func (p *proxy) try(ctx context.Context, work string, paths []string, version string) error {
	dir := filepath.Join(work, "user")
	var program strings.Builder
	program.WriteString("package main\n\nimport (\n")
	for _, path := range paths[:len(paths)-1] {
		fmt.Fprintf(&program, "\t_ %q\n", path)
	}
	program.WriteString(")\n\nfunc main() {}\n")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "main.go"), []byte(program.String()), 0o644)); err != nil {
		return err
	}
	tool := paths[len(paths)-1]
	steps := [][]string{{"mod", "init", "example.com/user"}}
	for _, path := range paths[:len(paths)-1] {
		steps = append(steps, []string{"get", path + "@" + version})
	}
	steps = append(steps, []string{"build", "-o", filepath.Join(work, "bin", "user"), "."}, []string{"install", tool + "@" + version})
	for _, args := range steps {
		if _, err := p.run(ctx, dir, args...); err != nil {
			return err
		}
	}
	said, err := command(ctx, dir, nil, filepath.Join(work, "bin", filepath.Base(tool)), "version")
	if err != nil {
		return err
	}
	if !strings.Contains(said, version) {
		return fmt.Errorf("the command says that it is %q", said)
	}
	return nil
}
