package main

import (
	"bytes"
	"regexp"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// codeSpans renders code within a text so that a browser may break a long name at its
// separators. A table with such names would otherwise be wider than the page.
type codeSpans struct{}

// RegisterFuncs implements [renderer.NodeRenderer].
func (codeSpans) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindCodeSpan, renderCodeSpan)
}

var separator = regexp.MustCompile(`\w[._/][A-Za-z]`)

func renderCodeSpan(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	var code []byte
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			code = append(code, t.Segment.Value(source)...)
		}
	}
	code = util.EscapeHTML(bytes.ReplaceAll(code, []byte("\n"), []byte(" ")))
	code = separator.ReplaceAllFunc(code, func(m []byte) []byte {
		return append(append(bytes.Clone(m[:2]), "<wbr>"...), m[2])
	})
	_, err := w.WriteString("<code>" + string(code) + "</code>")
	return ast.WalkSkipChildren, err
}
