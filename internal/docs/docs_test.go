package docs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/docs"
)

func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := "# title\n\n```go\nfirst()\n\nsecond()\n```\n<!-- not run: takes minutes -->\n```sh\nmake\n```\n" +
		"````\n```go\nof a block that shows Markdown\n```\n````\n<!-- from a.go -->\n\n```\nnone\n```\n<!-- from a.go -->\n  ```go\n  indented()\n  ```\n"
	blocks := docs.Markdown("a.md", text)
	require.Equal(t, []docs.Block{
		{File: "a.md", Line: 4, Lang: "go", Code: "first()\n\nsecond()\n"},
		{File: "a.md", Line: 10, Lang: "sh", NotRun: "takes minutes", Code: "make\n"},
		{File: "a.md", Line: 13, Code: "```go\nof a block that shows Markdown\n```\n"},
		{File: "a.md", Line: 20, Code: "none\n"},
		{File: "a.md", Line: 24, Lang: "go", From: "a.go", Code: "  indented()\n"},
	}, blocks)
	require.Equal(t, []docs.Block{blocks[0], blocks[4]}, docs.Select(blocks, "go"))
}

func TestComments(t *testing.T) {
	t.Parallel()
	source := `// Package p is a package.
//
//	first()
//
//	second()
//
// Then:
//
//	first()
//
// The end.
package p

// T is a type:
//
//	go run ./examples/quickstart
type T struct {
	// F is a field:
	//
	//	one   1
	//	two   2
	//	      more of two
	F int
}

// f is a function:
//
//	f()
func f() {
	// Not a doc comment:
	//
	//	g()
}
`
	blocks, err := docs.Comments("doc.go", source)
	require.NoError(t, err)
	require.Equal(t, []docs.Block{
		{File: "doc.go", Line: 3, Lang: "go", Code: "first()\n\nsecond()\n"},
		{File: "doc.go", Line: 9, Lang: "go", Code: "first()\n"},
		{File: "doc.go", Line: 16, Lang: "sh", Code: "go run ./examples/quickstart\n"},
		{File: "doc.go", Line: 20, Code: "one   1\ntwo   2\n      more of two\n"},
		{File: "doc.go", Line: 28, Lang: "go", Code: "f()\n"},
	}, blocks)

	blocks, err = docs.Comments("a.go", "package p\n")
	require.NoError(t, err)
	require.Empty(t, blocks)
	_, err = docs.Comments("a.go", "pakcage p\n")
	require.ErrorContains(t, err, "a.go:1:1")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, code, want string }{
		{"whole file", "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(0) }\n", ""},
		{"whole file, unused import", "package main\n\nimport \"os\"\n\nfunc main() {}\n", `12:8: "os" imported and not used`},
		{"whole file, unused variable", "package main\n\nfunc main() { x := 1 }\n", "12:15: declared and not used: x"},
		{"whole file without its imports", "package main\n\nfunc main() { time.Now() }\n", "12:15: undefined: time"},
		{"good declarations", "func f(d time.Duration) { fmt.Println(d) }\n", ""},
		{"wrong declarations", "func f() int { return time.Now() }\n", "10:23: cannot use time.Now()"},
		{"good statements", "x := 1\nselect {\ncase <-ctx.Done():\n\treturn ctx.Err()\n}\n", ""},
		{"statements that declare ctx", "ctx, cancel := context.WithCancel(ctx)\ndefer cancel()\n", ""},
		{"wrong statements", "x := 1\nctx.Done(x)\n", "11:10: too many arguments"},
		{"unknown name", "x := y\n", "10:6: undefined: y"},
		{"internal package", "package p\n\nimport _ \"github.com/kontinue/kontinue/internal/identity\"\n", "12:8: a reader cannot import"},
		{"own imports", "import \"strings\"\n\nfunc f() bool { return strings.Contains(owner.Name, \"a\") }\n", ""},
		{"no Go code", "kubectl get jobs\n", "10:1: expected 'package', found kubectl"},
	}
	var blocks []docs.Block
	for _, tc := range cases {
		blocks = append(blocks, docs.Block{File: tc.name, Line: 10, Lang: "go", Code: tc.code})
	}
	err := docs.Check(t.Context(), ".", blocks)
	require.Error(t, err)
	for _, tc := range cases {
		if tc.want == "" {
			require.NotContains(t, err.Error(), tc.name+":")
		} else {
			require.ErrorContains(t, err, tc.name+":"+tc.want)
		}
	}

	part := docs.Block{File: "a.md", Line: 3, Lang: "go", From: "docs_test.go", Code: "func TestCheck(t *testing.T) {\n\tt.Parallel()\n"}
	require.NoError(t, docs.Check(t.Context(), ".", []docs.Block{part}))
	part.Code = strings.ReplaceAll(part.Code, "Parallel", "paral"+"lel")
	require.EqualError(t, docs.Check(t.Context(), ".", []docs.Block{part}), "a.md:3: the block is not in docs_test.go as it is")
	part.From = "gone.go"
	require.ErrorContains(t, docs.Check(t.Context(), ".", []docs.Block{part}), "a.md:3: the block is a part of a file: open gone.go")

	unknown := docs.Block{File: "a.md", Line: 1, Lang: "go", Code: "package p\n\nimport _ \"github.com/kontinue/kontinue/none\"\n"}
	require.ErrorContains(t, docs.Check(t.Context(), ".", []docs.Block{unknown}), "go list -export")
	require.NoError(t, docs.Check(t.Context(), ".", nil))
}
