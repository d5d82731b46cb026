package plain

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// LineBreaks are the characters that a line ends with, somewhere: U+0085 is a control
// character, and U+2028 and U+2029 are separators that some programs break lines at.
const LineBreaks = "\n\r\v\f\u0085\u2028\u2029"

// escapes matches the control sequences of terminals (ECMA-48), in their forms of one
// and of two characters: colors and cursor movements (CSI), strings such as titles and
// hyperlinks (OSC, DCS, SOS, PM and APC, also those that never end), and the rest.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]" +
	"|(?:\x1b[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\x07\x1b\u009c\r\n]*(?:\x07|\x1b\\\\|\u009c)?" +
	"|\x1b[ -/]*[0-~]")

// Text returns s, as valid UTF-8, without terminal control sequences and without the
// characters that change the direction of the text around them. Control characters and
// Unicode's own line breaks become spaces, all but the tab and the newline.
func Text(s string) string {
	if harmless(s) {
		return s
	}
	s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case directional(r):
			return -1
		case strings.ContainsRune(LineBreaks, r) || unicode.IsControl(r):
			return ' '
		}
		return r
	}, s)
}

// Line returns s as [Text] does, with spaces for tabs and newlines.
func Line(s string) string { return oneLine.Replace(Text(s)) }

var oneLine = strings.NewReplacer("\n", " ", "\t", " ")

// LastLine returns the last line of s that is not blank, as [Text] does, without white
// space around it and truncated to limit bytes, with an ellipsis. A carriage return ends
// a line too, so that only the last state of a progress bar remains. LastLine returns ""
// if there is no such line.
func LastLine(s string, limit int) string {
	for s != "" {
		rest, line := "", s
		if i := strings.LastIndexAny(s, LineBreaks); i >= 0 {
			_, size := utf8.DecodeRuneInString(s[i:])
			rest, line = s[:i], s[i+size:]
		}
		line = strings.TrimSpace(strings.ReplaceAll(Text(line), "\t", " "))
		if line != "" {
			return Shorten(line, limit)
		}
		s = rest
	}
	return ""
}

// Shorten truncates s, which is valid UTF-8, to at most limit bytes at a rune boundary
// and appends an ellipsis.
func Shorten(s string, limit int) string {
	const mark = "..."
	if len(s) <= limit {
		return s
	}
	if limit <= len(mark) {
		return ""
	}
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}

// harmless reports whether s has printable ASCII, tabs and newlines only, as most do.
func harmless(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\n' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// directional reports whether r is one of Unicode's bidirectional controls.
func directional(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }
