package main

import (
	"maps"
	"slices"
	"strings"
)

const index = "docs/README.md"

// navigation returns the pages in reading order: the README, what docs/README.md links to
// under each of its headings, and the rest by name.
func navigation(pages map[string]*page) []group {
	var nav []group
	seen := map[string]bool{}
	add := func(title string, sources ...string) {
		g := group{Title: title}
		for _, source := range sources {
			if p := pages[source]; p != nil && !seen[source] {
				seen[source] = true
				g.Pages = append(g.Pages, p)
			}
		}
		if len(g.Pages) > 0 {
			nav = append(nav, g)
		}
	}
	add("", "README.md", index)
	if p := pages[index]; p != nil {
		for _, g := range p.groups {
			add(g.Title, g.links...)
		}
	}
	rest := slices.Sorted(maps.Keys(pages))
	project := slices.DeleteFunc(slices.Clone(rest), func(source string) bool { return strings.Contains(source, "/") })
	add("More", slices.DeleteFunc(rest, func(source string) bool { return !strings.Contains(source, "/") })...)
	add("Project", project...)
	return nav
}

// Name is the title of the page in the navigation.
func (p *page) Name() string {
	if p.source == "README.md" {
		return "Overview"
	}
	return p.title
}

// Target is the file of the page.
func (p *page) Target() string { return p.target }
