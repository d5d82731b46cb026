package docs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

var (
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)|(?m:^\[[^\]]+\]: +(\S+))`)
	linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	anchorID = regexp.MustCompile(`<a (?:id|name)="([^"]+)">`)
)

// Anchors returns the ids that GitHub gives to the headings of a Markdown text, in their
// order, and those of its <a id="..."> elements.
func Anchors(text string) []string {
	text = prose(text)
	var ids []string
	seen := map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		id := anchor(match[1])
		n := seen[id]
		seen[id]++
		if n > 0 {
			id = fmt.Sprintf("%s-%d", id, n)
		}
		ids = append(ids, id)
	}
	for _, match := range anchorID.FindAllStringSubmatch(text, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// anchor returns the id of a heading without its number.
func anchor(title string) string {
	title = linkText.ReplaceAllString(title, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

// CheckLinks returns an error for each relative link of the pages to a file, or to an anchor
// of a page, that does not exist below root.
func CheckLinks(root string, pages []Page) error {
	anchors := map[string]map[string]bool{}
	for _, p := range pages {
		anchors[p.Path] = map[string]bool{}
		for _, id := range Anchors(p.Text) {
			anchors[p.Path][id] = true
		}
	}
	var errs []error
	for _, p := range pages {
		text := codeSpan.ReplaceAllStringFunc(prose(p.Text), blank)
		for _, at := range link.FindAllStringSubmatchIndex(text, -1) {
			begin, end := at[2], at[3]
			if begin < 0 {
				begin, end = at[4], at[5]
			}
			target := text[begin:end]
			if strings.Contains(target, "://") {
				continue
			}
			file, fragment, _ := strings.Cut(target, "#")
			if file = path.Join(path.Dir(p.Path), file); strings.HasPrefix(target, "#") {
				file = p.Path
			}
			line := 1 + strings.Count(text[:begin], "\n")
			switch _, err := os.Stat(filepath.Join(root, file)); {
			case err != nil || strings.HasPrefix(file, ".."):
				errs = append(errs, fmt.Errorf("%s:%d: the link %s leads to no file of the repository", p.Path, line, target))
			case fragment != "" && !anchors[file][fragment]:
				errs = append(errs, fmt.Errorf("%s:%d: the link %s leads to no heading", p.Path, line, target))
			}
		}
	}
	return errors.Join(errs...)
}

// blank returns spaces of the same length.
func blank(s string) string { return strings.Repeat(" ", len(s)) }
