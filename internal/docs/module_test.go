package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/docs"
)

const root = "../.."

// Every block of Go code in the documentation compiles.
func TestModule(t *testing.T) {
	t.Parallel()
	var found []docs.Block
	markdown := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			path, err = filepath.Rel(root, path)
			markdown = append(markdown, path)
		}
		return err
	})
	require.NoError(t, err)
	for _, file := range markdown {
		text, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		found = append(found, docs.Markdown(file, string(text))...)
	}
	require.NotEmpty(t, found, "README.md has Go code")

	source, err := os.ReadFile(filepath.Join(root, "doc.go"))
	require.NoError(t, err)
	blocks, err := docs.PackageComment("doc.go", string(source))
	require.NoError(t, err)
	require.NotEmpty(t, blocks, "doc.go has Go code")

	require.NoError(t, docs.Check(t.Context(), root, append(found, blocks...)))
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
