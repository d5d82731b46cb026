package docs

import (
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"strings"
)

// Block is a piece of Go code in the documentation.
type Block struct {
	// File is the file that contains the block.
	File string
	// Line is the line of its first line of code, from 1.
	Line int
	// Code is its text, without the indent of a comment.
	Code string
}

// Markdown returns the fenced blocks of a Markdown text whose info string is "go".
func Markdown(file, text string) []Block {
	var blocks []Block
	var open string // the fence of the block that the line is in, if any
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		fence := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case open == "" && len(fence) >= 3:
			open = fence
			if strings.TrimSpace(trimmed[len(fence):]) == "go" {
				blocks = append(blocks, Block{File: file, Line: i + 2})
				continue
			}
			open += " " // another language
		case open != "" && len(fence) >= len(strings.TrimSpace(open)) && trimmed == fence:
			open = ""
		case open != "" && !strings.HasSuffix(open, " "):
			blocks[len(blocks)-1].Code += line + "\n"
		}
	}
	return blocks
}

// PackageComment returns the code blocks of a Go file's package comment, which are
// Go code, all of them. It returns an error if the file does not parse.
func PackageComment(file, source string) ([]Block, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, source, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("find code blocks: %w", err)
	}
	if f.Doc == nil {
		return nil, nil
	}
	lines := strings.Split(source, "\n")
	next := fset.Position(f.Doc.Pos()).Line - 1
	var blocks []Block
	for _, content := range new(comment.Parser).Parse(f.Doc.Text()).Content {
		code, ok := content.(*comment.Code)
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(code.Text, "\n")
		for next < len(lines)-1 && strings.TrimSpace(strings.TrimPrefix(lines[next], "//")) != strings.TrimSpace(first) {
			next++
		}
		blocks = append(blocks, Block{File: file, Line: next + 1, Code: code.Text})
		next++
	}
	return blocks, nil
}
