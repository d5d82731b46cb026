package containers

import (
	"path"
	"slices"
	"strings"
)

// places map paths in a container to paths on this machine, the longest first.
type places []place

type place struct{ inside, local string }

// add adds a place.
func (p *places) add(inside, local string) {
	*p = append(*p, place{path.Clean(inside), local})
	slices.SortStableFunc(*p, func(a, b place) int { return len(b.inside) - len(a.inside) })
}

// dir returns where a directory of the container is, if that is in one of the places.
func (p places) dir(inside string) (string, bool) {
	inside = path.Clean(inside)
	for _, place := range p {
		if rest, ok := strings.CutPrefix(inside, place.inside); ok && (rest == "" || rest[0] == '/') {
			return place.local + rest, true
		}
	}
	return "", false
}

// replace puts the paths on this machine into a text, such as a shell command, in place of
// those in the container.
func (p places) replace(text string) string {
	if len(p) == 0 {
		return text
	}
	var out strings.Builder
	done := 0 // what has been copied
	for at := 0; at < len(text); at++ {
		if text[at] != '/' || at > 0 && inPath(text[at-1]) {
			continue
		}
		if place, ok := p.at(text[at:]); ok {
			out.WriteString(text[done:at])
			out.WriteString(place.local)
			done = at + len(place.inside)
			at = done - 1
		}
	}
	out.WriteString(text[done:])
	return out.String()
}

// at returns the place whose path the text begins with.
func (p places) at(text string) (place, bool) {
	for _, place := range p {
		rest, ok := strings.CutPrefix(text, place.inside)
		if ok && (rest == "" || rest[0] == '/' || !inName(rest[0])) {
			return place, true
		}
	}
	return place{}, false
}

// inName reports whether the byte is part of the name of a file.
func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80 || strings.IndexByte("_-.+~", c) >= 0
}

// inPath reports whether a "/" after the byte is within a path, and not at its begin: also
// after the end of a variable, a substitution or a pattern.
func inPath(c byte) bool { return inName(c) || strings.IndexByte("/})]*?%", c) >= 0 }
