package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kontinue/kontinue"
)

const root = "../.."

// readme is the module's README, which says what the code has to bear out.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	return string(text)
}

// block returns the lines of the README between a line with that start and the
// next line with that end.
func block(t *testing.T, start, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(readme(t), "\n"+start)
	require.True(t, found, start)
	text, _, found := strings.Cut(rest, "\n"+end)
	require.True(t, found, end)
	return text
}

func TestREADMELinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(readme(t), -1)
	require.NotEmpty(t, links)
	for _, link := range links {
		if !strings.HasPrefix(link[1], "https://") {
			_, err := os.Stat(filepath.Join(root, link[1]))
			require.NoError(t, err)
		}
	}
}

func TestREADMEShowsTheRole(t *testing.T) {
	t.Parallel()
	var shown rbacv1.Role
	require.NoError(t, yaml.UnmarshalStrict([]byte(block(t, "```yaml\n", "```")), &shown))
	require.NotEmpty(t, shown.Rules)

	manifests, err := os.ReadFile(filepath.Join(root, "deploy/rbac.yaml"))
	require.NoError(t, err)
	for _, manifest := range strings.Split(string(manifests), "\n---\n") {
		var role rbacv1.Role
		require.NoError(t, yaml.Unmarshal([]byte(manifest), &role))
		if role.Kind == "Role" {
			require.Equal(t, role.Rules, shown.Rules)
			return
		}
	}
	require.FailNow(t, "deploy/rbac.yaml has no Role")
}

func TestREADMEListsTheConfiguration(t *testing.T) {
	t.Parallel()
	var fields []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[kontinue.Config]()) {
		fields = append(fields, field.Name)
	}
	require.Equal(t, fields, firstColumn(block(t, "## Configuration", "## ")))
}

func TestREADMEListsTheErrors(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "errors.go"), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var names []string
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
			for _, spec := range d.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if name.IsExported() {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	require.NotEmpty(t, names)
	require.ElementsMatch(t, names, firstColumn(block(t, "## Errors", "## ")))
}

// firstColumn returns the code words that begin the rows of a table.
func firstColumn(text string) []string {
	var words []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)`").FindAllStringSubmatch(text, -1) {
		words = append(words, row[1])
	}
	return words
}
