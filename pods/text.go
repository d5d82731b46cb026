package pods

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lineBudget limits one line of a message in Explain, in bytes.
const lineBudget = 1024

// escapes matches terminal control sequences, such as colors (ECMA-48 CSI): a
// termination message may be the end of a log.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// lastLine returns the last line of s that is not blank, without terminal escape
// sequences, control characters and surrounding white space.
func lastLine(s string) string {
	if strings.ContainsRune(s, '\x1b') {
		s = escapes.ReplaceAllString(s, "")
	}
	s = strings.TrimFunc(s, blank)
	if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return shorten(strings.TrimSpace(s), lineBudget)
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// shorten truncates s, which is valid UTF-8, to at most limit bytes at a rune
// boundary and appends an ellipsis.
func shorten(s string, limit int) string {
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

// shortenMessage truncates a message to at most limit bytes and keeps its end, since
// the last line of a log is the most useful. lastLine returns the same for the
// result as for s if limit is at least lineBudget.
func shortenMessage(s string, limit int) string {
	const mark = "...\n"
	if len(s) > limit {
		s = strings.TrimRightFunc(s, blank)
	}
	if len(s) <= limit {
		return s
	}
	line := s[strings.LastIndexAny(s, "\r\n")+1:]
	if len(line) > limit-len(mark) {
		return shorten(strings.TrimLeftFunc(line, blank), limit)
	}
	cut := len(s) - (limit - len(mark))
	for !utf8.RuneStart(s[cut]) {
		cut++
	}
	return mark + s[cut:]
}

// valid replaces invalid UTF-8, which JSON cannot hold: the kubelet may truncate a
// termination message within a rune.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// signalNames has the signal numbers of Linux on amd64 and arm64. Package syscall has
// those of the platform that the worker runs on, which may be another one.
var signalNames = map[int32]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}

// exitText describes an exit code: "exit code 3", "exit code 137 (SIGKILL)".
// Runtimes and shells report a process killed by signal n as exit code 128+n.
func exitText(code, signal int32) string {
	text := "exit code " + strconv.Itoa(int(code))
	if signal == 0 && code > 128 {
		if name, ok := signalNames[code-128]; ok {
			return text + " (" + name + ")"
		}
		return text
	}
	if signal == 0 {
		return text
	}
	if name, ok := signalNames[signal]; ok {
		return text + " (" + name + ")"
	}
	return text + " (signal " + strconv.Itoa(int(signal)) + ")"
}
