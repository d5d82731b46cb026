package docs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/docs"
)

// site writes the files and returns their directory and its pages.
func site(t *testing.T, files map[string]string) (dir string, pages []docs.Page) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	pages, err := docs.Pages(dir)
	require.NoError(t, err)
	return dir, pages
}

func TestPages(t *testing.T) {
	t.Parallel()
	dir, pages := site(t, map[string]string{
		"README.md": "", "docs/a.md": "", "docs/site/b.md": "", "site/c.md": "", "bin/d.md": "", ".git/e.md": "", "p/testdata/f.md": "",
		"p/p.go": "// Package p.\n//\n//\tf()\npackage p\n", "p/p_test.go": "// Package p.\n//\n//\tg()\npackage p\n",
		"m/go.mod": "", "m/n/n.go": "// Package n.\n//\n//\th()\npackage n\n",
	})
	var paths []string
	for _, p := range pages {
		paths = append(paths, p.Path)
	}
	require.Equal(t, []string{"README.md", "docs/a.md", "docs/site/b.md"}, paths)
	sources, err := docs.Sources(dir)
	require.NoError(t, err)
	require.Equal(t, []docs.Block{
		{File: "m/n/n.go", Line: 3, Lang: "go", Module: "m", Code: "h()\n"},
		{File: "p/p.go", Line: 3, Lang: "go", Code: "f()\n"},
	}, sources)
	_, err = docs.Pages(filepath.Join(dir, "none"))
	require.ErrorContains(t, err, "read the documentation")
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	text := "# Who is to blame\n## `kontinue dev`, 2_x-y!\n### A [link](x.md) in it\n```sh\n# no heading\n```\n## Who is to blame\n## Was gilt für Ü?\n<a id=\"own\"></a>\n"
	require.Equal(t, []string{"who-is-to-blame", "kontinue-dev-2_x-y", "a-link-in-it", "who-is-to-blame-1", "was-gilt-für-ü", "own"}, docs.Anchors(text))
}

func TestCheckLinks(t *testing.T) {
	t.Parallel()
	dir, pages := site(t, map[string]string{
		"README.md":  "[a](docs/a.md#one) [b](docs) [c](https://example.com/x) [d](#top)\n# Top\n`[x](none)`\n```\n[x](none)\n```\n",
		"docs/a.md":  "# One\n[back](../README.md#top) ![image](x.svg)\n",
		"docs/x.svg": "",
	})
	require.NoError(t, docs.CheckLinks(dir, pages))

	dir, pages = site(t, map[string]string{
		"a.md": "[a](b.md)\n\n[b](#none) [c](../x)\n[ref]: gone.md\n[d](a.go#L1)\n", "a.go": "package a\n",
	})
	require.EqualError(t, docs.CheckLinks(dir, pages), "a.md:1: the link b.md leads to no file of the repository\n"+
		"a.md:3: the link #none leads to no heading\n"+
		"a.md:3: the link ../x leads to no file of the repository\n"+
		"a.md:4: the link gone.md leads to no file of the repository\n"+
		"a.md:5: the link a.go#L1 leads to no heading")
}

func TestCheckPaths(t *testing.T) {
	t.Parallel()
	dir, pages := site(t, map[string]string{
		"docs/a.md": "`docs/a.md` `docs` `a.md` `p/p.go` `p/*_test.go` `p.go` `_test.go` `os/exec` `docs/x y` `.ci/run` `p/log` `/dev/null`\n```\n`p/none`\n```\n",
		"p/p.go":    "", "p/a_test.go": "", ".ci/run": "",
	})
	require.NoError(t, docs.CheckPaths(dir, pages, "p/log"))
	require.EqualError(t, docs.CheckPaths(dir, pages), "docs/a.md:1: `p/log` is no file of the repository")

	dir, pages = site(t, map[string]string{"a.md": "`p/none.go` `none.go`\n`p/x*`\n", "p/p.go": ""})
	require.EqualError(t, docs.CheckPaths(dir, pages), "a.md:1: `p/none.go` is no file of the repository\n"+
		"a.md:1: `none.go` is no file of the repository\n"+
		"a.md:2: `p/x*` is no file of the repository")
}

func TestCheckData(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: 1\nb: [c]\n": "",
		"apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n---\napiVersion: batch/v1\nkind: Job\n": "",
		"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nwhatever: 1\n":                       "",
		"apiVersion: v1\nkind: ConfigMap\ndate: {a: b}\n":                                       `a.md:1: decode the ConfigMap: strict decoding error: unknown field "date"`,
		"apiVersion: v1\nkind: ConfigMap\n---\napiVersion: batch/v1\nkind: Jop\n":               `a.md:1: decode the Jop: no kind "Jop"`,
		"apiVersion: a/b/c\nkind: Job\n":                                                        "a.md:1: apiVersion: unexpected GroupVersion string",
		"a: 1\na: 2\n":                                                                          "a.md:1: the YAML does not parse",
	} {
		err := docs.CheckData([]docs.Block{{File: "a.md", Line: 1, Lang: "yaml", Code: text}})
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
	require.NoError(t, docs.CheckData([]docs.Block{{Lang: "json", Code: `{"a": 1}`}}))
	require.ErrorContains(t, docs.CheckData([]docs.Block{{Lang: "json", Code: `{a: 1}`}}), "the JSON does not parse")
}

func TestCommands(t *testing.T) {
	t.Parallel()
	blocks := docs.Markdown("a.md", "```sh\n# a comment\none \\\n  more # exits with 3\n\necho 'a\nb'; echo \"it's\" # don't\ncat > f <<'EOF'\n\"text\nEOF\ntwo |\n  three\n```\n"+
		"```\nno command\n```\n<!-- not run: needs root -->\n```console\n$ four\nits output\n\nmore\n$ five <<EOF\n> line\n> EOF\n```\n")
	require.Equal(t, []docs.Command{
		{File: "a.md", Line: 3, Text: "one \\\n  more # exits with 3", Exit: 3},
		{File: "a.md", Line: 6, Text: "echo 'a\nb'; echo \"it's\" # don't"},
		{File: "a.md", Line: 8, Text: "cat > f <<'EOF'\n\"text\nEOF"},
		{File: "a.md", Line: 11, Text: "two |\n  three"},
		{File: "a.md", Line: 19, Text: "four", Shows: true, Output: "its output\n\nmore\n", NotRun: "needs root"},
		{File: "a.md", Line: 23, Text: "five <<EOF\nline\nEOF", Shows: true, NotRun: "needs root"},
	}, docs.Commands(blocks))
}

func TestCheckShell(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"Makefile": "unit: ## tests\n\tgo test ./...\n", "m/p/p.go": "package p\n", "p/p.go": "package p\n",
		"a.md": "`make unit`, `make X=1 unit`\n```sh\nmake unit PKGS=./p\ngo test ./... ./p\ngo -C m test -run X ./p/... . -bench .\n```\n",
	}
	dir, pages := site(t, files)
	require.NoError(t, docs.CheckShell(dir, pages, []docs.Block{{Lang: "sh", Code: "go run ./p\n"}}))

	files["a.md"] = "`make none`\n```sh\nmake unit other && go test ./none\ngo -C m run ./none\n```\n<!-- not run: is long -->\n```sh\n```\n```bash\n```\n```python\n```\n"
	dir, pages = site(t, files)
	err := docs.CheckShell(dir, pages, []docs.Block{{File: "p.go", Line: 1, Lang: "sh", Code: "make gone\n"}})
	for _, want := range []string{
		"a.md:1: make has no target none", "a.md:3: make has no target other", "a.md:3: there is no package ./none",
		"a.md:4: there is no package ./none", `a.md:8: "is long" is no reason`, `a.md:10: no test checks a block of the language "bash"`,
		`a.md:12: no test checks a block of the language "python"`, "p.go:1: make has no target gone",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = os.Stat(filepath.Join(dir, "Makefile"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "Makefile")))
	require.ErrorContains(t, docs.CheckShell(dir, pages, nil), "read the targets")
}
