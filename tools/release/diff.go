package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/packages"
)

// diff reports how the public API differs from that of base, or of the last tag. It returns
// an error if a change is incompatible and the version, or CHANGELOG.md, does not allow that.
func diff(ctx context.Context, out io.Writer, dir, base string) error {
	last, err := lastTag(ctx, dir)
	if err != nil {
		return err
	}
	if base == "" {
		base = last
	}
	if base == "" {
		_, err := fmt.Fprintln(out, "there is no tag yet, and nothing to compare with")
		return err
	}
	// The commit of a release is not on main; the one it was made from has the same API.
	fork, err := git(ctx, dir, "merge-base", base, "HEAD")
	if err != nil {
		return err
	}
	old, remove, err := checkout(ctx, dir, fork)
	if err != nil {
		return err
	}
	incompatible, err := diffModules(ctx, out, old, dir, base, last)
	if err = errors.Join(err, remove()); err != nil || incompatible == 0 {
		return err
	}
	if semver.Compare(last, "v1.0.0") >= 0 {
		return fmt.Errorf("%d incompatible changes since %s, which a major version alone may have", incompatible, base)
	}
	section, err := section(dir, "Unreleased")
	if err != nil {
		return err
	}
	if !strings.Contains(section, "### Changed") && !strings.Contains(section, "### Removed") {
		return fmt.Errorf("%d incompatible changes since %s: CHANGELOG.md must have them under \"### Changed\" or \"### Removed\"", incompatible, base)
	}
	return nil
}

// unsettled are the packages that may change until v1.0.0 without a deprecation, by the last
// part of their path: docs/stability.md.
var unsettled = []string{"devcluster", "dispatch", "jobs", "logs", "otelkontinue", "pods", "watch"}

// mayChange reports whether a package may still change.
func mayChange(p *packages.Package, last string) bool {
	return semver.Compare(last, "v1.0.0") < 0 && slices.Contains(unsettled, path.Base(p.PkgPath))
}

// diffModules compares the packages of all modules, and returns how many changes, or removed
// packages, are incompatible.
func diffModules(ctx context.Context, out io.Writer, oldDir, dir, base, last string) (int, error) {
	incompatible := 0
	for _, module := range modules {
		if _, err := os.Stat(filepath.Join(oldDir, module, "go.mod")); err != nil {
			fmt.Fprintf(out, "module %s is new since %s\n", module, base)
			continue
		}
		before, err := load(ctx, filepath.Join(oldDir, module))
		if err != nil {
			return 0, err
		}
		after, err := load(ctx, filepath.Join(dir, module))
		if err != nil {
			return 0, err
		}
		now := map[string]int{}
		for i, p := range after {
			now[p.PkgPath] = i
		}
		for _, p := range before {
			i, exists := now[p.PkgPath]
			if !exists {
				incompatible++ // in any case
				fmt.Fprintf(out, "%s: incompatible: the package is gone\n", p.PkgPath)
				continue
			}
			for _, change := range apidiff.Changes(p.Types, after[i].Types).Changes {
				kind := "compatible"
				switch {
				case change.Compatible:
				case mayChange(p, last):
					kind = "incompatible, in a package that may change until v1.0.0"
				default:
					kind = "incompatible"
					incompatible++
				}
				fmt.Fprintf(out, "%s: %s: %s\n", p.PkgPath, kind, change.Message)
			}
		}
	}
	_, err := fmt.Fprintf(out, "%d incompatible changes since %s\n", incompatible, base)
	return incompatible, err
}

// lastTag returns the last version that is a tag of the root module, or "".
func lastTag(ctx context.Context, dir string) (string, error) {
	tags, err := git(ctx, dir, "tag", "--list", "v*")
	if err != nil {
		return "", err
	}
	last := ""
	for tag := range strings.FieldsSeq(tags) {
		if semver.IsValid(tag) && (last == "" || semver.Compare(tag, last) > 0) {
			last = tag
		}
	}
	return last, nil
}

// checkout checks a revision out into a temporary folder, which remove removes.
func checkout(ctx context.Context, dir, revision string) (tree string, remove func() error, err error) {
	parent, err := os.MkdirTemp("", "kontinue-release-")
	if err != nil {
		return "", nil, err
	}
	tree = filepath.Join(parent, "tree")
	if _, err := git(ctx, dir, "worktree", "add", "--detach", tree, revision); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(parent))
	}
	return tree, func() error {
		_, err := git(context.WithoutCancel(ctx), dir, "worktree", "remove", "--force", tree)
		return errors.Join(err, os.RemoveAll(parent))
	}, nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	return command(ctx, dir, nil, "git", args...)
}

// command runs a program and returns what it prints.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}
