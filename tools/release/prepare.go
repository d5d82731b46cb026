package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// nested are the folders of the modules that are released with the root module. They require
// it, by a replace directive in the repository and by version in a release: "go install"
// refuses a module with such a directive.
var nested = []string{"otelkontinue", "cmd/kontinue"}

// prepare makes the commit and the tags of a release, and proves that they work: as a user
// would, it installs the command and builds a program with all modules from them. It pushes
// nothing. The commit is not on a branch: main keeps its replace directives.
func prepare(ctx context.Context, out io.Writer, dir, version string) error {
	last, err := lastTag(ctx, dir)
	if err != nil {
		return err
	}
	if semver.Canonical(version) != version || semver.Compare(version, last) <= 0 {
		return fmt.Errorf("%q is not a semantic version after %q", version, last)
	}
	changed, err := git(ctx, dir, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("commit these files first:\n%s", changed)
	}
	notes, err := releaseNotes(dir, version)
	if err != nil {
		return err
	}
	if err := errors.Join(checkListings(ctx, out, dir, false), diff(ctx, out, dir, "")); err != nil {
		return err
	}
	tree, remove, err := checkout(ctx, dir, "HEAD")
	if err != nil {
		return err
	}
	err = release(ctx, tree, version, notes)
	if err = errors.Join(err, remove()); err != nil {
		return err
	}
	tags := strings.Join(tagsOf(version), " ")
	_, err = fmt.Fprintf(out, "%s is prepared; publish it with\n\n  git push origin %s\n\n%s", version, tags, notes)
	return err
}

func tagsOf(version string) []string {
	tags := []string{version}
	for _, module := range nested {
		tags = append(tags, module+"/"+version)
	}
	return tags
}

// release commits what the modules of a release have, tries them, and tags the commit.
func release(ctx context.Context, tree, version, notes string) (err error) {
	work, err := os.MkdirTemp("", "kontinue-try-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	p, err := newProxy(ctx, tree, work)
	if err != nil {
		return err
	}
	root, err := p.publish(tree, version)
	if err != nil {
		return err
	}
	paths := []string{root}
	for _, module := range nested {
		folder := filepath.Join(tree, module)
		if err := requireVersion(filepath.Join(folder, "go.mod"), root, version); err != nil {
			return err
		}
		if _, err := p.run(ctx, folder, "mod", "tidy"); err != nil {
			return err
		}
		path, err := p.publish(folder, version)
		if err != nil {
			return err
		}
		paths = append(paths, path)
	}
	if err := p.try(ctx, work, paths, version); err != nil {
		return fmt.Errorf("%s does not work for a user: %w", version, err)
	}
	if _, err := git(ctx, tree, "add", "--all"); err != nil {
		return err
	}
	if _, err := git(ctx, tree, "commit", "--message", "release: "+version, "--message",
		"The nested modules require the root module by its version, since go install\nrefuses a replace directive."); err != nil {
		return err
	}
	for _, tag := range tagsOf(version) {
		if _, err := git(ctx, tree, "tag", "--annotate", tag, "--cleanup", "verbatim", "--message", "kontinue "+version+"\n\n"+notes); err != nil {
			return err
		}
	}
	return nil
}

// requireVersion has a module require another by version, and no longer replaces that.
func requireVersion(path, module, version string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(file.DropReplace(module, ""), file.AddRequire(module, version)); err != nil {
		return err
	}
	file.Cleanup()
	for _, r := range file.Replace {
		if r.New.Version == "" {
			return fmt.Errorf("%s: a release cannot replace %s by the folder %s", path, r.Old.Path, r.New.Path)
		}
	}
	content, err = file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
