package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	pathLike = regexp.MustCompile(`^\.?[\w*-][\w./*-]*$`)
	fileName = regexp.MustCompile(`\.(go|md|mod|sum|yaml|json|jsonl|sh|svg)$`)
)

// CheckPaths returns an error for each code span of the pages that looks like the path of a
// file or directory of the repository, and is none below root. A path begins with a name in
// the root directory and a slash, or is the name of a source file. It is relative to the root,
// to the page or, without a slash, to any directory. The names in others are of other things.
func CheckPaths(root string, pages []Page, others ...string) error {
	base := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		base[filepath.Base(name)] = true
		return err
	})
	if err != nil {
		return fmt.Errorf("list the files: %w", err)
	}
	exists := func(page, name string) bool {
		for _, dir := range []string{"", path.Dir(page)} {
			if found, err := filepath.Glob(filepath.Join(root, dir, name)); err == nil && len(found) > 0 {
				return true
			}
		}
		if strings.Contains(name, "/") {
			return false
		}
		for b := range base {
			// A suffix such as _test.go stands for the files that end with it.
			if ok, err := path.Match(name, b); err == nil && ok || strings.HasPrefix(name, "_") && strings.HasSuffix(b, name) {
				return true
			}
		}
		return false
	}
	var errs []error
	for _, p := range pages {
		text := prose(p.Text)
	spans:
		for _, at := range codeSpan.FindAllStringSubmatchIndex(text, -1) {
			span := text[at[2]:at[3]]
			first, _, slash := strings.Cut(span, "/")
			if _, err := os.Stat(filepath.Join(root, first)); !pathLike.MatchString(span) || !(slash && err == nil) && !(fileName.MatchString(span) && !slash) {
				continue
			}
			for _, other := range others {
				if span == other {
					continue spans
				}
			}
			if !exists(p.Path, span) {
				errs = append(errs, fmt.Errorf("%s:%d: `%s` is no file of the repository", p.Path, 1+strings.Count(text[:at[2]], "\n"), span))
			}
		}
	}
	return errors.Join(errs...)
}
