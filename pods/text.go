package pods

import (
	"strings"
	"unicode/utf8"
)

// lineBudget bounds one line of a message inside Explain, in bytes.
const lineBudget = 1024

// lastLine returns the last line of s that is not blank, without surrounding
// white space. The kubelet cuts termination messages anywhere, also inside a
// rune, so the result is made valid UTF-8.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
		s = s[i+1:]
	}
	return shorten(strings.TrimSpace(s), lineBudget)
}

// shorten cuts s to at most limit bytes on a rune boundary and marks the cut.
func shorten(s string, limit int) string {
	const mark = "..."
	s = strings.ToValidUTF8(s, "\uFFFD")
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
