package docs

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// shell is the begin of a command in a doc comment, whose blocks do not say their language.
var shell = regexp.MustCompile(`^(\$ |(go (run|test|build|install|-C)|make|kontinue(-cluster)?|kubectl|benchstat) )`)

var columns = regexp.MustCompile(`  \S`)

// Comments returns the code blocks of a Go file's doc comments: those of its package clause,
// its declarations and their fields. A block is Go code, unless it begins with a command, or
// is a table: each of its lines has columns, two spaces apart. It returns an error if the file
// does not parse.
func Comments(file, source string) ([]Block, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, source, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("find code blocks: %w", err)
	}
	lines := strings.Split(source, "\n")
	var blocks []Block
	for _, group := range docComments(f) {
		next := fset.Position(group.Pos()).Line - 1
		for _, content := range new(comment.Parser).Parse(group.Text()).Content {
			code, ok := content.(*comment.Code)
			if !ok {
				continue
			}
			first, _, _ := strings.Cut(code.Text, "\n")
			for next < len(lines)-1 && strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines[next]), "//")) != strings.TrimSpace(first) {
				next++
			}
			lang := "go"
			if isTable(code.Text) {
				lang = ""
			} else if shell.MatchString(first) {
				lang = "sh"
			}
			blocks = append(blocks, Block{File: file, Line: next + 1, Lang: lang, Code: code.Text})
			next++
		}
	}
	return blocks, nil
}

// docComments returns the comments that go doc shows, in their order.
func docComments(f *ast.File) []*ast.CommentGroup {
	var groups []*ast.CommentGroup
	add := func(group *ast.CommentGroup) {
		if group != nil {
			groups = append(groups, group)
		}
	}
	add(f.Doc)
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			add(d.Doc)
		case *ast.GenDecl:
			add(d.Doc)
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.TypeSpec:
					add(n.Doc)
				case *ast.ValueSpec:
					add(n.Doc)
				case *ast.Field:
					add(n.Doc)
				}
				return true
			})
		}
	}
	return groups
}

// isTable reports whether each line of the text has two columns.
func isTable(text string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" && !columns.MatchString(line) {
			return false
		}
	}
	return true
}
