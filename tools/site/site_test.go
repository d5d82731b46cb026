package main

import (
	"html"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var (
	links = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	idsIn = regexp.MustCompile(` id="([^"]*)"`)
)

// site builds the site and returns its HTML by file.
func site(t *testing.T) (dir string, pages map[string]string) {
	t.Helper()
	dir = t.TempDir()
	n, err := build(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	pages = map[string]string{}
	err = filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".html" {
			return err
		}
		text, err := os.ReadFile(file)
		name, _ := filepath.Rel(dir, file)
		pages[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != len(pages) || n < 15 {
		t.Fatalf("%d pages were built, and %d are there", n, len(pages))
	}
	return dir, pages
}

// Every link of the site leads to one of its files and to an id, or to a file that is in the
// repository.
func TestLinks(t *testing.T) {
	t.Parallel()
	dir, pages := site(t)
	ids := map[string]map[string]bool{}
	for name, text := range pages {
		ids[name] = map[string]bool{"": true}
		for _, match := range idsIn.FindAllStringSubmatch(text, -1) {
			if ids[name][match[1]] {
				t.Errorf("%s has the id %s twice", name, match[1])
			}
			ids[name][match[1]] = true
		}
	}
	checked := 0
	for name, text := range pages {
		for _, match := range links.FindAllStringSubmatch(text, -1) {
			link := html.UnescapeString(match[1])
			checked++
			if source, ok := strings.CutPrefix(link, "https://github.com/kontinue/kontinue/"); ok {
				_, source, _ = strings.Cut(source, "/main/")
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Errorf("%s: %s: %v", name, link, err)
				}
				continue
			}
			if strings.Contains(link, "://") {
				continue
			}
			file, fragment, _ := strings.Cut(link, "#")
			if file = path.Join(path.Dir(name), file); strings.HasPrefix(link, "#") {
				file = name
			}
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil || strings.HasPrefix(link, "/") {
				t.Errorf("%s: the link %s leads to no file: %v", name, link, err)
			} else if fragment != "" && !ids[file][fragment] {
				t.Errorf("%s: the link %s leads to no id", name, link)
			}
		}
	}
	if checked < 500 {
		t.Errorf("only %d links were found", checked)
	}
}

// Every page of docs is there, and in the navigation of every page.
func TestPages(t *testing.T) {
	t.Parallel()
	_, pages := site(t)
	sources, err := filepath.Glob(root + "/docs/*.md")
	if err != nil || len(sources) < 10 {
		t.Fatalf("%d pages: %v", len(sources), err)
	}
	for _, name := range append(sources, root+"/README.md", root+"/CHANGELOG.md", root+"/docs/benchmarks/README.md") {
		target, _ := filepath.Rel(root, strings.TrimSuffix(name, ".md")+".html")
		target = filepath.ToSlash(target)
		if dir, base := path.Split(target); base == "README.html" {
			target = dir + "index.html"
		}
		if _, ok := pages[target]; !ok {
			t.Errorf("%s has no page", name)
		}
		for other, text := range pages {
			nav, _, _ := strings.Cut(text, "</nav>")
			if link := `href="` + rel(other, target) + `"`; other != target && !strings.Contains(nav, link) {
				t.Errorf("%s has no %s in its navigation", other, link)
			}
		}
	}
}

// What GitHub renders is rendered: tables, ids, code as it is.
func TestRender(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"README.md":      "# kontinue\n\n## `kontinue dev` & Co.\n\n| a | b |\n|---|--:|\n| `x\\|y` | 1 |\n\n```go\nif a < b {\n```\n\n[one](docs/one.md#a-b) [dir](deploy) <!-- comment -->\n",
		"docs/README.md": "# Docs\n\n## Second\n[two](two.md)\n\n## First\n[one](one.md), [two](two.md), [top](../README.md)\n", "docs/two.md": "# Two\n",
		"docs/one.md": "# One\n\n## A b\n\n## A b\n\n![plot](plot.svg)\n", "docs/plot.svg": "<svg/>", "deploy/x.yaml": "",
	} {
		if err := write(dir, name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	if _, err := build(dir, out); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"index.html": {
			`<h2 id="kontinue-dev--co">`, `<td><code>x|y</code></td>`, `align`, `if a &lt; b {`, `href="docs/one.html#a-b"`,
			`href="https://github.com/kontinue/kontinue/tree/main/deploy"`, `<title>kontinue</title>`, "Second</h2>", `<a href="#kontinue-dev--co">`,
		},
		"docs/one.html": {`id="a-b-1"`, `src="../docs/plot.svg"`, `<title>One · kontinue</title>`, `rel="prev" href="../docs/two.html"`, `href="../style.css"`},
	} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %s in\n%s", name, want, text)
			}
		}
	}
	if err := write(dir, "docs/two.md", []byte("[x](gone.md)\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := build(dir, out); err == nil || !strings.Contains(err.Error(), "docs/two.md: the link gone.md leads nowhere") {
		t.Errorf("a broken link is no error: %v", err)
	}
}

// A long name in a table can be broken where its parts end, and only there.
func TestCodeSpans(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"`kontinue.step.pull_duration`": "<code>kontinue.<wbr>step.<wbr>pull_<wbr>duration</code>",
		"`a <b> && ./x/y 1.37`":         "<code>a &lt;b&gt; &amp;&amp; ./x/<wbr>y 1.37</code>",
	} {
		var out strings.Builder
		if err := markdown.Convert([]byte(source), &out); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(out.String()); got != "<p>"+want+"</p>" {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}
