package logs

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLastLine bounds the summary line, in bytes.
const maxLastLine = 4096

// escapes matches terminal control sequences, such as colors (ECMA-48: CSI
// sequences, OSC strings, and two-character escapes).
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\^_])")

// LastLine returns the last line of s that is not blank, for use in an error
// message. A carriage return ends a line too, so that only the last state of a
// progress bar remains. Terminal escape sequences and surrounding white space are
// removed, and the line is truncated to 4 KiB at a rune boundary. LastLine returns
// "" if there is no such line.
func LastLine(s string) string {
	for s != "" {
		rest, line := "", s
		if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
			rest, line = s[:i], s[i+1:]
		}
		if line = clean(line); line != "" {
			return line
		}
		s = rest
	}
	return ""
}

func clean(line string) string {
	const mark = "..."
	line = escapes.ReplaceAllString(strings.ToValidUTF8(line, "\uFFFD"), "")
	line = strings.TrimFunc(line, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	if len(line) <= maxLastLine {
		return line
	}
	cut := maxLastLine - len(mark)
	for !utf8.RuneStart(line[cut]) {
		cut--
	}
	return line[:cut] + mark
}
