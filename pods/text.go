package pods

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kontinue/kontinue/internal/plain"
)

// lineBudget limits one line of a message in Explain, in bytes.
const lineBudget = 1024

// lastLine returns the last line of s that is not blank, which may be the end of a log,
// in plain text.
func lastLine(s string) string { return plain.LastLine(s, lineBudget) }

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

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
	line := s
	if i := strings.LastIndexAny(s, plain.LineBreaks); i >= 0 {
		_, size := utf8.DecodeRuneInString(s[i:])
		line = s[i+size:]
	}
	if len(line) > limit-len(mark) {
		return plain.Shorten(strings.TrimLeftFunc(line, blank), limit)
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
