package docs_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/docs"
)

const root = "../.."

// read returns the pages, and all code blocks of pages and doc comments.
func read(t *testing.T) (pages []docs.Page, sources, all []docs.Block) {
	t.Helper()
	pages, err := docs.Pages(root)
	require.NoError(t, err)
	sources, err = docs.Sources(root)
	require.NoError(t, err)
	all = slices.Clone(sources)
	for _, p := range pages {
		all = append(all, p.Blocks...)
	}
	return pages, sources, all
}

// Every block of Go code in the documentation compiles. A module of its own checks its blocks
// in its own tests, which compile what it imports.
func TestModule(t *testing.T) {
	t.Parallel()
	_, _, all := read(t)
	files, modules := map[string]bool{}, map[string]bool{}
	var own []docs.Block
	for _, b := range docs.Select(all, "go") {
		files[b.File] = true
		if modules[b.Module] = true; b.Module == "" || b.From != "" {
			own = append(own, b)
		}
	}
	for _, file := range []string{"README.md", "doc.go", "kontinuetest/doc.go", "devcluster/doc.go", "fx.go", "docs/logs.md"} {
		require.True(t, files[file], "%s has Go code", file)
	}
	require.Equal(t, map[string]bool{"": true, "otelkontinue": true}, modules)
	require.NoError(t, docs.Check(t.Context(), root, own))
}

// Every link of the documentation leads to a file and a heading, and every path in it to a
// file.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, _, _ := read(t)
	require.NoError(t, docs.CheckLinks(root, pages))
	require.NoError(t, docs.CheckPaths(root, pages, "pods/log")) // a resource of the API
}

// Every command names what exists, and those that are not run have a reason. The module
// test/e2e runs the others, and cmd/kontinue checks the flags of kontinue.
func TestShell(t *testing.T) {
	t.Parallel()
	pages, sources, _ := read(t)
	require.NoError(t, docs.CheckShell(root, pages, sources))
}

// Every manifest decodes as its kind.
func TestData(t *testing.T) {
	t.Parallel()
	_, _, all := read(t)
	require.NotEmpty(t, docs.Select(all, "yaml"))
	require.NoError(t, docs.CheckData(all))
}

// TestCount logs what the other tests check.
func TestCount(t *testing.T) {
	t.Parallel()
	pages, _, all := read(t)
	exempt, run := map[string]int{}, 0
	for _, c := range docs.Commands(all[len(all)-blocksOf(pages):]) {
		if c.NotRun != "" {
			exempt[c.NotRun]++
		} else {
			run++
		}
	}
	for _, b := range docs.Select(all, "python") {
		exempt[b.NotRun]++
	}
	links, compiled := 0, len(docs.Select(all, "go"))
	for _, p := range pages {
		links += strings.Count(p.Text, "](")
	}
	t.Logf("%d pages with %d links, %d blocks of Go compiled, %d manifests decoded, %d commands run",
		len(pages), links, compiled, len(docs.Select(all, "yaml", "json")), run)
	for _, reason := range slices.Sorted(maps.Keys(exempt)) {
		t.Logf("%d commands not run: %s", exempt[reason], reason)
	}
	require.Greater(t, len(pages), 15)
	require.Greater(t, compiled, 25)
	require.Greater(t, run, 10)
}

func blocksOf(pages []docs.Page) int {
	n := 0
	for _, p := range pages {
		n += len(p.Blocks)
	}
	return n
}

// Every test that the list of invariants names exists.
func TestInvariantsNameTheirTests(t *testing.T) {
	t.Parallel()
	exists := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			exists[match[1]] = true
		}
		return err
	})
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs/invariants.md"))
	require.NoError(t, err)
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(named), 40)
	for _, match := range named {
		require.True(t, exists[match[1]], "docs/invariants.md names %s, which does not exist", match[1])
	}
}
