package main

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

var linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	goldmark.WithRendererOptions(html.WithUnsafe(), // the comments and anchors of the pages
		renderer.WithNodeRenderers(util.Prioritized(codeSpans{}, 1))),
)

// render makes the page's HTML. The files that its links need are added to assets.
func (p *page) render(root string, pages map[string]*page, assets map[string]bool) error {
	source, err := os.ReadFile(filepath.Join(root, p.source))
	if err != nil {
		return err
	}
	doc := markdown.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(ids{}))))
	var headings []*ast.Heading
	err = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			headings = append(headings, n)
			title := plain(n, source)
			if n.Level == 1 && p.title == "" {
				p.title = title
			}
			if n.Level == 2 {
				p.parts = append(p.parts, part{ID: id(n), Title: title})
				p.groups = append(p.groups, group{Title: title})
			}
		case *ast.Link:
			target := p.resolve(string(n.Destination))
			if len(p.groups) == 0 {
				p.groups = append(p.groups, group{})
			}
			last := &p.groups[len(p.groups)-1]
			last.links = append(last.links, target)
			destination, err := p.link(root, string(n.Destination), pages, assets)
			if err != nil {
				return ast.WalkStop, err
			}
			n.Destination = []byte(destination)
		case *ast.Image:
			destination, err := p.link(root, string(n.Destination), pages, assets)
			if err != nil {
				return ast.WalkStop, err
			}
			n.Destination = []byte(destination)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return err
	}
	for _, h := range headings {
		self := ast.NewLink()
		self.Destination = []byte("#" + id(h))
		self.SetAttributeString("class", []byte("self"))
		self.SetAttributeString("aria-label", []byte("link to this heading"))
		self.AppendChild(self, ast.NewString([]byte("#")))
		h.AppendChild(h, self)
	}
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, doc); err != nil {
		return err
	}
	p.body = template.HTML(out.String()) //nolint:gosec // the repository's own pages
	return nil
}

// resolve returns the file of the repository that a link of the page leads to.
func (p *page) resolve(link string) string {
	file, _, _ := strings.Cut(link, "#")
	return path.Join(path.Dir(p.source), file)
}

// link returns the link of the site for one of the page.
func (p *page) link(root, link string, pages map[string]*page, assets map[string]bool) (string, error) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "#") || strings.HasPrefix(link, "mailto:") {
		return link, nil
	}
	file := p.resolve(link)
	_, fragment, found := strings.Cut(link, "#")
	if found {
		fragment = "#" + fragment
	}
	if other := pages[file]; other != nil {
		return rel(p.target, other.target) + fragment, nil
	}
	info, err := os.Stat(filepath.Join(root, file))
	if err != nil {
		return "", fmt.Errorf("the link %s leads nowhere: %w", link, err)
	}
	if !info.IsDir() && strings.HasPrefix(file, "docs/") {
		assets[file] = true
		return rel(p.target, file), nil
	}
	return github(file, info.IsDir()) + fragment, nil
}

// ids gives headings the ids that GitHub does.
type ids map[string]int

// Generate implements [parser.IDs].
func (s ids) Generate(value []byte, _ ast.NodeKind) []byte {
	title := linkText.ReplaceAllString(string(value), "$1")
	id := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
	n := s[id]
	s[id]++
	if n > 0 {
		id = fmt.Sprintf("%s-%d", id, n)
	}
	return []byte(id)
}

// Put implements [parser.IDs].
func (s ids) Put(value []byte) { s[string(value)]++ }

func id(h *ast.Heading) string {
	value, _ := h.AttributeString("id")
	text, _ := value.([]byte)
	return string(text)
}

// plain returns the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
