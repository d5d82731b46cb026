package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// printNotes prints the release notes of a version.
func printNotes(out io.Writer, dir, version string) error {
	text, err := releaseNotes(dir, version)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, text)
	return err
}

// releaseNotes returns the section of a version.
func releaseNotes(dir, version string) (string, error) {
	text, err := section(dir, strings.TrimPrefix(version, "v"))
	if err == nil && text == "" {
		return "", fmt.Errorf("the section of %s in CHANGELOG.md is empty", version)
	}
	return text, err
}

// section returns a section of CHANGELOG.md, without its heading.
func section(dir, name string) (string, error) {
	path := filepath.Join(dir, "CHANGELOG.md")
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(string(content), "\n## ["+name+"]")
	if !found {
		return "", fmt.Errorf("%s has no section \"## [%s]\": give that of the unreleased changes this name", path, name)
	}
	_, rest, _ = strings.Cut(rest, "\n") // the date
	rest, _, _ = strings.Cut(rest, "\n## [")
	rest, _, _ = strings.Cut(rest, "\n[") // the targets of links
	return strings.TrimPrefix(strings.TrimSpace(rest)+"\n", "\n"), nil
}
