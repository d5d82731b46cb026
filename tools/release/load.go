package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// modules are the folders of the modules that others import. That of the command has no
// package to import, and is released with them.
var modules = []string{".", "otelkontinue"}

// load loads the packages of a module that other modules may import, sorted by path.
func load(ctx context.Context, dir string) ([]*packages.Package, error) {
	config := &packages.Config{
		Context: ctx,
		Dir:     dir,
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo |
			packages.NeedImports | packages.NeedModule | packages.NeedFiles | packages.NeedExportFile,
	}
	loaded, err := packages.Load(config, "./...")
	if err != nil {
		return nil, fmt.Errorf("load the packages in %s: %w", dir, err)
	}
	var public []*packages.Package
	for _, p := range loaded {
		if !isPublic(p) {
			continue
		}
		for _, e := range p.Errors {
			err = errors.Join(err, e)
		}
		public = append(public, p)
	}
	if err != nil {
		return nil, fmt.Errorf("load the packages in %s: %w", dir, err)
	}
	if len(public) == 0 {
		return nil, fmt.Errorf("no public package in %s", dir)
	}
	slices.SortFunc(public, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	return public, nil
}

// isPublic reports whether other modules may import the package, and have a reason to.
func isPublic(p *packages.Package) bool {
	if p.Name == "main" || p.Module == nil {
		return false
	}
	rest := strings.TrimPrefix(p.PkgPath, p.Module.Path)
	for part := range strings.SplitSeq(rest, "/") {
		if part == "internal" || part == "examples" || part == "test" {
			return false
		}
	}
	return true
}

// listingFile is the file with the declarations of a package: its path in the repository with
// dots for slashes.
func listingFile(dir, module string, p *packages.Package) string {
	name := strings.TrimPrefix(strings.TrimPrefix(p.PkgPath, p.Module.Path), "/")
	switch {
	case name == "" && module == ".":
		name = "kontinue"
	case module != ".":
		name = strings.TrimSuffix(module+"/"+name, "/")
	}
	return filepath.Join(dir, "api", strings.ReplaceAll(name, "/", ".")+".txt")
}
