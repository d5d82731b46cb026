package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed style.css
var styleCSS []byte

// page is a Markdown file and what becomes of it.
type page struct {
	source string // below the root, with slashes
	target string // below the site, with slashes
	title  string
	body   template.HTML
	parts  []part  // its headings of the second level
	groups []group // of what it links to, by its headings of the second level
}

type part struct{ ID, Title string }

// group is a list of pages under a title.
type group struct {
	Title string
	Pages []*page
	links []string
}

// build writes the site of the repository and returns the number of its pages.
func build(root, out string) (int, error) {
	pages, err := sources(root)
	if err != nil {
		return 0, err
	}
	if err := os.RemoveAll(out); err != nil {
		return 0, fmt.Errorf("remove the old site: %w", err)
	}
	assets := map[string]bool{}
	for _, p := range pages {
		if err := p.render(root, pages, assets); err != nil {
			return 0, fmt.Errorf("%s: %w", p.source, err)
		}
	}
	nav := navigation(pages)
	layout, err := template.New("page").Funcs(template.FuncMap{"rel": rel}).Parse(pageHTML)
	if err != nil {
		return 0, fmt.Errorf("parse the template: %w", err)
	}
	order := []*page{}
	for _, g := range nav {
		order = append(order, g.Pages...)
	}
	for i, p := range order {
		data := map[string]any{"Page": p, "Target": p.target, "Title": p.title, "Body": p.body, "Parts": p.parts, "Nav": nav, "Source": github(p.source, false)}
		if i > 0 {
			data["Prev"] = order[i-1]
		}
		if i < len(order)-1 {
			data["Next"] = order[i+1]
		}
		var html bytes.Buffer
		if err := layout.Execute(&html, data); err != nil {
			return 0, fmt.Errorf("%s: %w", p.source, err)
		}
		if err := write(out, p.target, html.Bytes()); err != nil {
			return 0, err
		}
	}
	for name := range assets {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return 0, fmt.Errorf("copy: %w", err)
		}
		if err := write(out, name, text); err != nil {
			return 0, err
		}
	}
	return len(order), write(out, "style.css", styleCSS)
}

// sources returns the Markdown files of the repository.
func sources(root string) (map[string]*page, error) {
	pages := map[string]*page{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			top := filepath.Dir(file) == filepath.Clean(root)
			if name := d.Name(); file != root && (name[0] == '.' || name == "testdata" || top && (name == "bin" || name == "site")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".md" {
			return nil
		}
		source, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		p := &page{source: filepath.ToSlash(source)}
		p.target = strings.TrimSuffix(p.source, ".md") + ".html"
		if dir, base := path.Split(p.target); base == "README.html" {
			p.target = dir + "index.html"
		}
		pages[p.source] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the pages: %w", err)
	}
	return pages, nil
}

// write writes a file of the site.
func write(out, name string, text []byte) error {
	file := filepath.Join(out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write the site: %w", err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return fmt.Errorf("write the site: %w", err)
	}
	return nil
}

// rel returns the link from one file of the site to another.
func rel(from, to string) string {
	return strings.Repeat("../", strings.Count(from, "/")) + to
}

// github returns the address of a file of the repository.
func github(name string, dir bool) string {
	kind := "blob"
	if dir {
		kind = "tree"
	}
	return "https://github.com/kontinue/kontinue/" + kind + "/main/" + name
}
