package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/docs"
	"github.com/kontinue/kontinue/internal/lint"
)

// readme is the module's README, whose claims the code must match.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	return string(text)
}

// block returns the lines of the README between a line with the given prefix and the
// next line with the given suffix.
func block(t *testing.T, start, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(readme(t), "\n"+start)
	require.True(t, found, start)
	text, _, found := strings.Cut(rest, "\n"+end)
	require.True(t, found, end)
	return text
}

// The program and the test in the README are those of examples/deploy, which run.
func TestREADMEShowsTheExample(t *testing.T) {
	t.Parallel()
	blocks := docs.Select(docs.Markdown("README.md", readme(t)), "go")
	require.NotEmpty(t, blocks)
	program, err := os.ReadFile(filepath.Join(root, "examples/deploy/main.go"))
	require.NoError(t, err)
	require.Equal(t, string(program), blocks[0].Code)

	tests, err := os.ReadFile(filepath.Join(root, "examples/deploy/main_test.go"))
	require.NoError(t, err)
	shown := blocks[slices.IndexFunc(blocks, func(b docs.Block) bool { return strings.HasPrefix(b.Code, "func Test") })]
	require.Contains(t, string(tests), "\n"+shown.Code)
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
	var names []string
	for _, spec := range values(t, "errors.go", token.VAR) {
		for _, name := range spec.Names {
			if name.IsExported() {
				names = append(names, name.Name)
			}
		}
	}
	require.NotEmpty(t, names)
	require.ElementsMatch(t, names, firstColumn(block(t, "## Errors", "## ")))
}

func TestREADMEListsTheMetadata(t *testing.T) {
	t.Parallel()
	var keys []string
	prefix := ""
	for _, spec := range values(t, "internal/identity/identity.go", token.CONST) {
		name := spec.Names[0].Name
		switch value := spec.Values[0].(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(value.Value)
			require.NoError(t, err)
			if name == "Prefix" {
				prefix = text
			} else if strings.HasPrefix(name, "Label") || strings.HasPrefix(name, "Annotation") {
				keys = append(keys, text)
			}
		case *ast.BinaryExpr:
			require.Equal(t, "Prefix", value.X.(*ast.Ident).Name)
			text, err := strconv.Unquote(value.Y.(*ast.BasicLit).Value)
			require.NoError(t, err)
			keys = append(keys, prefix+text)
		}
	}
	require.NotEmpty(t, prefix)
	require.ElementsMatch(t, keys, firstColumn(block(t, "### Labels and annotations", "## ")))
}

func TestREADMEListsThePackages(t *testing.T) {
	t.Parallel()
	packages, err := lint.Survey(root)
	require.NoError(t, err)
	var names, parts []string
	for _, p := range packages {
		names = append(names, p.Name)
		if p.Dir != "." {
			parts = append(parts, p.Dir)
		}
	}
	require.ElementsMatch(t, names, firstColumn(block(t, "## Packages", "## ")))

	source, err := os.ReadFile(filepath.Join(root, "doc.go"))
	require.NoError(t, err)
	var mapped []string
	for _, link := range regexp.MustCompile(`\[github.com/kontinue/kontinue/([a-z0-9/]+)\]`).FindAllStringSubmatch(string(source), -1) {
		mapped = append(mapped, link[1])
	}
	require.ElementsMatch(t, parts, mapped, "the map of the packages in doc.go")
}

// values returns the constants or variables that a file of the module declares.
func values(t *testing.T, name string, kind token.Token) []*ast.ValueSpec {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var specs []*ast.ValueSpec
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == kind {
			for _, spec := range d.Specs {
				specs = append(specs, spec.(*ast.ValueSpec))
			}
		}
	}
	return specs
}

// firstColumn returns the code words that begin the rows of a table.
func firstColumn(text string) []string {
	var words []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(text, -1) {
		words = append(words, row[1])
	}
	return words
}
