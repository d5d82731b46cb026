package lint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/lint"
)

// TestModule checks this module against its budget.
func TestModule(t *testing.T) {
	t.Parallel()
	packages, err := lint.Survey("../..")
	require.NoError(t, err)
	require.NotEmpty(t, packages, "the module's packages were not found")
	for _, p := range packages {
		require.Empty(t, p.Problems(), "run make api")
	}
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	const source = `package p

// Documented names the field D, which is not an E.
type Documented struct {
	hidden int
	Embedded
	// A is documented.
	A int
	B int
	C int // C is documented at its end.
	D int
}

type Embedded struct{}

func (Embedded) Method() {}

// Pointer is documented.
func (*Documented) Pointer() {}

type generic[K comparable, V any] struct{ Inner int }

func (generic[K, V]) NotCounted() {}

// Pair is documented.
type Pair[K comparable, V any] struct{}

// Swap is documented.
func (*Pair[K, V]) Swap() {}

// Generic is documented.
type Generic[K comparable, V any] interface{ Do() }

// A comment on the group counts for each name.
const (
	One, Two = 1, 2
	three    = 3
)

var Bare = 1

func Func() {}

//go:noinline
func Directive() {}
`
	dir := t.TempDir()
	write(t, dir, "p/p.go", source)
	got, err := lint.Survey(dir)
	require.NoError(t, err)
	require.Equal(t, []lint.Package{{
		Dir:     "p",
		Name:    "p",
		Names:   []string{"Bare", "Directive", "Documented", "Embedded", "Func", "Generic", "One", "Pair", "Two"},
		Members: 8, // A, B, C, D, Pair.Swap, Embedded.Method, Documented.Pointer, Generic.Do
		Undocumented: []string{
			"Bare", "Directive", "Documented.B", "Embedded", "Embedded.Method", "Func", "Generic.Do",
		},
	}}, got)
	require.InDelta(t, 10.0/17, got[0].Documented(), 1e-9)
}

func TestSurveySkips(t *testing.T) {
	t.Parallel()
	const exported = "package p\n\nfunc F() {}\n"
	dir := t.TempDir()
	write(t, dir, "root.go", "package root\n")
	write(t, dir, "a/b/p.go", exported)
	write(t, dir, "a/b/p_test.go", "package p\n\nfunc InTest() {}\n")
	write(t, dir, "a/b/p_windows.go", "package p\n\nfunc Elsewhere() {}\n")
	for _, hidden := range []string{"internal", "examples", "test", "testdata", ".git", "_old", "a/internal"} {
		write(t, dir, hidden+"/p/p.go", exported)
	}
	write(t, dir, "nested/go.mod", "module nested\n")
	write(t, dir, "nested/p.go", exported)
	write(t, dir, "cmd/main.go", "package main\n\nfunc F() {}\n")

	got, err := lint.Survey(dir)
	require.NoError(t, err)
	require.Equal(t, []lint.Package{
		{Dir: ".", Name: "root"},
		{Dir: "a/b", Name: "p", Names: []string{"F"}, Undocumented: []string{"F"}},
	}, got)
}

func TestSurveyErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := lint.Survey(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)

	write(t, dir, "broken.go", "package p\n\nfunc {\n")
	_, err = lint.Survey(dir)
	require.ErrorContains(t, err, "broken.go:3")
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
