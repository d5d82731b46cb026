package logs

import "github.com/kontinue/kontinue/internal/plain"

// maxLastLine bounds the summary line, in bytes.
const maxLastLine = 4096

// LastLine returns the last line of s that is not blank, for use in an error
// message. A carriage return ends a line too, so that only the last state of a
// progress bar remains. Terminal escape sequences, control characters, those that change
// the direction of a text and surrounding white space are removed, and the line is
// truncated to 4 KiB at a rune boundary. LastLine returns "" if there is no such line.
func LastLine(s string) string { return plain.LastLine(s, maxLastLine) }
