package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Check type-checks the blocks of Go code, each as code of its module below root, but for
// those that are a part of a file: these have to be in it. It returns the errors of all of
// them, joined, each with its line in the documentation.
func Check(ctx context.Context, root string, blocks []Block) error {
	var errs []error
	modules := map[string][]Block{}
	for _, b := range Select(blocks, "go") {
		if b.From == "" {
			modules[b.Module] = append(modules[b.Module], b)
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, b.From))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: the block is a part of a file: %w", b.File, b.Line, err))
		} else if !strings.Contains(string(text), b.Code) {
			errs = append(errs, fmt.Errorf("%s:%d: the block is not in %s as it is", b.File, b.Line, b.From))
		}
	}
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		errs = append(errs, check(ctx, filepath.Join(root, module), modules[module]))
	}
	return errors.Join(errs...)
}

// check type-checks the blocks as code of the module in dir.
func check(ctx context.Context, dir string, blocks []Block) error {
	fset := token.NewFileSet()
	var errs []error
	var files []file
	var paths []string
	for _, b := range blocks {
		source, statements := wrap(b)
		f, err := parser.ParseFile(fset, path.Base(b.File), source, parser.SkipObjectResolution)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, file{f, statements})
		for _, spec := range f.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if strings.Contains(path, "/internal/") {
				errs = append(errs, fmt.Errorf("%s: a reader cannot import %s", fset.Position(spec.Pos()), path))
			}
			paths = append(paths, path)
		}
	}
	exports, err := exportData(ctx, dir, paths)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		name, ok := exports[path]
		if !ok {
			return nil, fmt.Errorf("package %s is not part of the build", path)
		}
		return os.Open(name)
	})
	for _, f := range files {
		errs = append(errs, f.check(fset, imp)...)
	}
	return errors.Join(errs...)
}

// file is a block that parses.
type file struct {
	syntax     *ast.File
	statements bool
}

func (f file) check(fset *token.FileSet, imp types.Importer) []error {
	var errs []error
	config := types.Config{Importer: imp, Error: func(err error) {
		// Excerpts may declare variables without using them.
		if !f.statements || !strings.Contains(err.Error(), "declared and not used") {
			errs = append(errs, err)
		}
	}}
	_, _ = config.Check("p", fset, []*ast.File{f.syntax}, nil) // Error has been called with what it returns
	return errs
}

// exportData returns the files with the export data of the packages and of all that
// they import, as the go command has built them.
func exportData(ctx context.Context, dir string, paths []string) (map[string]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	slices.Sort(paths)
	args := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "--"}, slices.Compact(paths)...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -export: %w: %s", err, stderr.String())
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		if path, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			exports[path] = name
		}
	}
	return exports, nil
}
