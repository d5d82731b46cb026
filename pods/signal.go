package pods

import "strconv"

// Signal numbers of Linux on amd64 and arm64; the worker may run elsewhere, so
// package syscall's names would be the wrong ones.
var signalNames = map[int32]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}

// exitText names an exit code: "exit code 3", "exit code 137 (SIGKILL)".
// Runtimes and shells report a death by signal n as exit code 128+n.
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
