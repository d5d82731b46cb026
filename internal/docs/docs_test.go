package docs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/docs"
)

func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := "# title\n\n```go\nfirst()\n\nsecond()\n```\n\n```sh\nmake\n```\n" +
		"````\n```go\nof a block that shows Markdown\n```\n````\n```\nnone\n```\n  ```go\n  indented()\n  ```\n"
	require.Equal(t, []docs.Block{
		{File: "a.md", Line: 4, Code: "first()\n\nsecond()\n"},
		{File: "a.md", Line: 21, Code: "  indented()\n"},
	}, docs.Markdown("a.md", text))
}

func TestPackageComment(t *testing.T) {
	t.Parallel()
	source := "// Package p is a package.\n//\n//\tfirst()\n//\n//\tsecond()\n//\n// Then:\n//\n//\tfirst()\n//\n// The end.\npackage p\n"
	blocks, err := docs.PackageComment("doc.go", source)
	require.NoError(t, err)
	require.Equal(t, []docs.Block{
		{File: "doc.go", Line: 3, Code: "first()\n\nsecond()\n"},
		{File: "doc.go", Line: 9, Code: "first()\n"},
	}, blocks)

	blocks, err = docs.PackageComment("a.go", "package p\n")
	require.NoError(t, err)
	require.Empty(t, blocks)
	_, err = docs.PackageComment("a.go", "pakcage p\n")
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
		{"no Go code", "kubectl get jobs\n", "10:1: expected 'package', found kubectl"},
	}
	var blocks []docs.Block
	for _, tc := range cases {
		blocks = append(blocks, docs.Block{File: tc.name, Line: 10, Code: tc.code})
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

	unknown := docs.Block{File: "a.md", Line: 1, Code: "package p\n\nimport _ \"github.com/kontinue/kontinue/none\"\n"}
	require.ErrorContains(t, docs.Check(t.Context(), ".", []docs.Block{unknown}), "go list -export")
	require.NoError(t, docs.Check(t.Context(), ".", nil))
}
