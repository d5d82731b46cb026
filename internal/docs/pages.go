package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Page is a Markdown file.
type Page struct {
	// Path is its path below the root, with slashes.
	Path string
	// Text is what it has.
	Text string
	// Blocks are its fenced blocks, each with the module of the page.
	Blocks []Block
}

// Pages returns the Markdown files below root, sorted by path. Hidden directories, bin, site
// and testdata are left out.
func Pages(root string) ([]Page, error) {
	var pages []Page
	err := walk(root, ".md", func(path, text string) error {
		blocks := Markdown(path, text)
		for i := range blocks {
			blocks[i].Module = moduleOf(root, path)
		}
		pages = append(pages, Page{Path: path, Text: text, Blocks: blocks})
		return nil
	})
	return pages, err
}

// Sources returns the code blocks of the doc comments in the Go files below root, but for
// tests, each with its module.
func Sources(root string) ([]Block, error) {
	var all []Block
	err := walk(root, ".go", func(path, text string) error {
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		blocks, err := Comments(path, text)
		for i := range blocks {
			blocks[i].Module = moduleOf(root, path)
		}
		all = append(all, blocks...)
		return err
	})
	return all, err
}

// moduleOf returns the directory of the module that has the file, or "" for the root.
func moduleOf(root, path string) string {
	for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return filepath.ToSlash(dir)
		}
	}
	return ""
}

// walk calls visit with each file that has the extension.
func walk(root, ext string, visit func(path, text string) error) error {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			top := filepath.Dir(path) == filepath.Clean(root)
			if path != root && (name[0] == '.' || name == "testdata" || top && (name == "bin" || name == "site")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ext {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		path, err = filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(path), string(text))
	})
	if err != nil {
		return fmt.Errorf("read the documentation below %s: %w", root, err)
	}
	return nil
}
